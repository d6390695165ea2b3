"""The pages about money that banks move: charges, disputes and warnings, the balance and payouts."""

from __future__ import annotations

from . import pages
from .browsing import page_of
from .control import Control
from .messages import Request
from .pages import Markup
from .resources.disputing import INQUIRY, OPEN, WARNING
from .storage import Document

_BANK = {"chargeback": "Dispute", "inquiry": "Inquiry", "warning": "Fraud warning"}
_CHARGEBACK = {"won": "We win", "lost": "We lose"}
_INQUIRY = {"warning_closed": "Close it", "escalated": "Escalate it"}


class MoneyPages:
    """Pages over the control API."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.store = control.store

    def charges(self, request: Request) -> Markup:
        """Charges, newest first, and what their banks may do about them."""
        found, more = page_of(self.store, "charge", request)
        rows = [
            [
                pages.link(one["id"]),
                pages.moment(one["created"]),
                pages.money(one["amount"], one["currency"]),
                pages.badge(_status(one)),
                one["failure_message"] or "",
                pages.card_name(one["payment_method_details"]["card"]),
                pages.buttons("bank", {"charge": one["id"], "back": "/charges"}, "kind", _BANK, "Bank")
                if one["paid"]
                else "",
            ]
            for one in found
        ]
        headings = ["Charge", "Made", "Amount", "Status", "Reason", "Card", ""]
        table = pages.table(headings, rows, "No charges yet.")
        return pages.layout("Charges", pages.join(table, more), self._now())

    def disputes(self, request: Request) -> Markup:
        """Disputes with the bank's decision as buttons, and the latest early fraud warnings."""
        found, more = page_of(self.store, "dispute", request)
        rows = [
            [
                pages.link(one["id"]),
                pages.moment(one["created"]),
                pages.money(one["amount"], one["currency"]),
                pages.badge(one["status"]),
                one["reason"].replace("_", " "),
                pages.moment(one["evidence_details"]["due_by"]),
                pages.link(one["charge"], "its charge"),
                self._decision(one),
            ]
            for one in found
        ]
        headings = ["Dispute", "Made", "Amount", "Status", "Reason", "Evidence due", "Charge", ""]
        none = "No disputes yet. Raise one on the page Charges, or pay with 4000 0000 0000 0259."
        warnings = [
            [
                pages.link(one["id"]),
                pages.moment(one["created"]),
                one["fraud_type"].replace("_", " "),
                pages.badge("actionable" if one["actionable"] else "settled"),
                pages.link(one["charge"]),
            ]
            for one in self.store.select(WARNING, [], limit=10)
        ]
        warned = pages.table(
            ["Warning", "Made", "Kind", "Status", "Charge"], warnings, "No early fraud warnings yet."
        )
        body = pages.join(
            pages.section("Disputes", pages.join(pages.table(headings, rows, none), more)),
            pages.section("Latest early fraud warnings", warned),
        )
        return pages.layout("Disputes", body, self._now())

    def payouts(self, request: Request) -> Markup:
        """The balance by currency with the button that pays it out, and payouts, newest first."""
        held = self.store.held(self._now())
        balance = pages.table(
            ["Currency", "Available now", "Pending"],
            [
                [currency.upper(), pages.money(available, currency), pages.money(pending, currency)]
                for currency, (available, pending) in held.items()
            ],
            "The balance is empty. A charge comes into it some seconds later, and is available two days on.",
        )
        ways = {"pay": "Pay out now", "bounce": "Pay out, bank returns it"}
        act = pages.buttons("payout", {"back": "/payouts"}, "way", ways, "What is available")
        found, more = page_of(self.store, "payout", request)
        rows = [
            [
                pages.link(one["id"]),
                pages.moment(one["created"]),
                pages.money(one["amount"], one["currency"]),
                pages.badge(one["status"]),
                pages.moment(one["arrival_date"]),
                one["failure_message"] or "",
            ]
            for one in found
        ]
        table = pages.table(
            ["Payout", "Made", "Amount", "Status", "Arrives", "Problem"], rows, "No payouts yet."
        )
        body = pages.join(
            pages.section("Balance", pages.join(act, balance)),
            pages.section("Payouts", pages.join(table, more)),
        )
        return pages.layout("Payouts", body, self._now())

    def _decision(self, dispute: Document) -> Markup:
        if dispute["status"] not in OPEN:
            return Markup("")
        choices = _INQUIRY if dispute["status"] in INQUIRY else _CHARGEBACK
        return pages.buttons(
            "decide", {"dispute": dispute["id"], "back": "/disputes"}, "outcome", choices, "Bank"
        )

    def _now(self) -> int:
        return self.control.clock.now()


def _status(charge: Document) -> str:
    if charge["disputed"]:
        return "disputed"
    return "refunded" if charge["refunded"] else str(charge["status"])
