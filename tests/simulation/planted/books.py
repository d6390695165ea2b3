"""Bugs of refunds, books, numbers, calls, mail and terms."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from tests.simulation.planted.bugs import bug, ddl, put


@bug("each try of a refund has a key of its own and nobody looks for the last one", "refunded once")
def refunded_each_try(stack: ExitStack) -> None:
    from callbill.gateways.stripe.gateway import StripeGateway

    plain, tries = StripeGateway.refund, [0]

    def refund(self: Any, *, charge: Any, amount: Any, metadata: Any, key: str) -> Any:
        tries[0] += 1
        return plain(self, charge=charge, amount=amount, metadata=metadata, key=f"{key}:{tries[0]}")

    put(stack, StripeGateway, "refund", refund)
    put(stack, StripeGateway, "find_refund", lambda self, *, intent, refund_id: None)


@bug("a credit note is posted and does not lower what is due", "ledger = invoices", "states")
def credit_forgotten(stack: ExitStack) -> None:
    from callbill.domain.invoicing import _crediting

    plain = _crediting.issue_credit_note

    def issue(invoice: Any, draft: Any, **given: Any) -> Any:
        before = invoice.credited_minor
        note = plain(invoice, draft, **given)
        invoice.credited_minor = before
        return note

    put(stack, _crediting, "issue_credit_note", issue)


@bug(
    "a number is counted by itself and not given back when its invoice comes to nothing",
    "numbers without gaps",
)
def number_lost(stack: ExitStack) -> None:
    import psycopg
    from django.db import connection

    from callbill.domain.invoicing import _issuing

    def next_number(*, series: str, prefix: str) -> str:
        given = connection.get_connection_params()
        wanted = {
            name: given[name] for name in ("host", "port", "user", "password", "dbname") if name in given
        }
        with psycopg.connect(**wanted, autocommit=True) as beside:
            row = beside.execute(
                "INSERT INTO invoicing_numberseries (key, next_number) VALUES (%s, 2) ON CONFLICT (key) DO "
                "UPDATE SET next_number = invoicing_numberseries.next_number + 1 RETURNING next_number - 1",
                [series],
            ).fetchone()
        assert row
        return f"{prefix}-{row[0]:06d}"

    put(stack, _issuing, "next_number", next_number)


# --- calls and mail -----------------------------------------------------------------------------------
@bug("a call that is handed over twice is two calls", "calls once")
def calls_not_recognised(stack: ExitStack) -> None:
    from callbill.domain.usage import _importing
    from callbill.domain.usage.models import Call

    def store(calls: Any, delivery: Any) -> Any:
        known = set(Call.objects.values_list("source_call_id", flat=True))
        return plain(
            [(line, _renamed(call, line) if call.source_call_id in known else call) for line, call in calls],
            delivery,
        )

    def _renamed(call: Any, line: int) -> Any:
        return replace(call, source_call_id=f"{call.source_call_id} again {line}")

    plain = put(stack, _importing, "store", store)


@bug("calls that come in late are on no invoice", "calls billed once")
def late_calls_lost(stack: ExitStack) -> None:
    from callbill.domain.invoicing import _gathering

    put(stack, _gathering, "_late", lambda drafts, period: None)


@bug("a letter is marked as sent before it is handed over", "each notice once")
def marked_before_sent(stack: ExitStack) -> None:
    from callbill.domain.notifications import _delivery
    from callbill.domain.notifications.models import Notification

    plain = _delivery._deliver

    def deliver(notification: Any, port: Any, attachments: Any, now: Any) -> bool:
        Notification.objects.filter(id=notification.id).update(sent_at=now)
        return plain(notification, port, attachments, now)

    put(stack, _delivery, "_deliver", deliver)


@bug("a warning is told again each day, for its key has the day in it", "each notice once")
def told_every_day(stack: ExitStack) -> None:
    from callbill.domain.payments import _notices

    plain = _notices.notifications.tell

    def tell(*, key: str, now: Any, **given: Any) -> int:
        told: int = plain(key=f"{key}:{now:%Y-%m-%d}", now=now, **given)
        return told

    put(stack, _notices.notifications, "tell", tell)


# --- Stripe's balance, terms ----------------------------------------------------------------------------
@bug("the fee of a charge is booked one cent off", "movements at Stripe = ledger")
def fee_one_cent_off(stack: ExitStack) -> None:
    from callbill.domain.reconciliation import _facts
    from callbill.rules.money import Money

    plain = _facts.cost_of

    def cost_of(row: Any) -> Money:
        cost = plain(row)
        return Money(cost.minor + 1, cost.currency) if row.kind == "charge" else cost

    put(stack, _facts, "cost_of", cost_of)


@bug(
    "a refund that had arrived and came back stays refunded",
    *("refunds at Stripe = ours", "movements at Stripe = ledger"),
)
def came_back_not_noticed(stack: ExitStack) -> None:
    from callbill.domain.payments import _refunding

    plain = _refunding._failed

    def failed(refund: Any, problem: str, now: Any) -> None:
        if refund.state != "succeeded":
            plain(refund, problem, now)

    put(stack, _refunding, "_failed", failed)


@bug(
    "what a bank took is posted under the moment it is heard of, so each time that it is heard of",
    *("movements at Stripe = ledger", "disputes at Stripe = ours", "ledger = invoices"),
)
def chargeback_each_time(stack: ExitStack) -> None:
    from callbill.domain.payments import _chargebacks

    plain = _chargebacks.post

    def post(*, key: str, at: Any, **given: Any) -> Any:
        return plain(key=f"{key}:{at:%H%M}", at=at, **given)

    put(stack, _chargebacks, "post", post)


@bug("prices are changed in the version that invoices were issued by", "recomputed")
def rate_edited(stack: ExitStack) -> None:
    from callbill.domain.contracts.models import ContractVersion
    from callbill.jobs import work

    ddl(stack, "DROP TRIGGER contract_version_frozen ON contracts_contractversion")
    plain = work.ask_about_chargebacks

    def edited(*, now: Any) -> None:
        plain(now=now)
        for version in ContractVersion.objects.all():
            for charge in version.document["usage"]:
                charge["rate"] = "9.99"
            ContractVersion.objects.filter(id=version.id).update(document=version.document)

    put(stack, work, "ask_about_chargebacks", edited)
