"""What the tests of disputed charges do over again: pay, dispute, let the message come, look at the books."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import CreditNote, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import (
    credit_lines,
)
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations, queries
from callbill.domain.payments.gateway import ChargebackMove, ChargebackStatus
from callbill.domain.payments.models import (
    GatewayEvent,
    StaffAlert,
)
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import VISA, Shop

NOW = world.at("2026-02-10T15:00")
LATER = world.at("2026-03-01T15:00")
_events = itertools.count(1)


def paid(shop: Shop, token: str = VISA) -> Invoice:
    """An invoice over 135.00, charged to the card."""
    shop.add_card(token, default=True)
    invoice = shop.bill()
    assert operations.collect_due(now=NOW).problems == []
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor) == ("paid", 135_00)
    return invoice


def disputed(shop: Shop, invoice: Invoice, **how: Any) -> str:
    """A dispute of the invoice's charge, which we do not know of yet."""
    return str(shop.sandbox.dispute(str(shop.attempt(invoice).charge), **how)["id"])


def message(reference: str, kind: str = "charge.dispute.created", when: Any = NOW) -> None:
    """Let a message about a dispute come and be applied."""
    GatewayEvent.objects.create(
        event_id=f"evt_test_{next(_events)}", kind=kind, object_id=reference, received_at=when
    )
    operations.handle_events(now=when)


def in_books(shop: Shop) -> dict[str, int]:
    """What the ledger says about the payer, without what is nothing; Stripe's fees are put back."""

    def of(account: Account) -> int:
        return balance(shop.payer.id, account, "USD").minor

    # These tests record wires without a bank payment behind them.
    assert [off for off in queries.books_differences() if off.what != "bank"] == []
    found = {
        "receivable": of(Account.RECEIVABLE),
        "stripe_clearing": of(Account.STRIPE_CLEARING) + of(Account.STRIPE_FEES),
        "chargebacks": of(Account.CHARGEBACKS),
        "bad_debt": of(Account.BAD_DEBT),
    }
    return {name: minor for name, minor in found.items() if minor}


def open_alerts(kind: str = "chargeback") -> list[str]:
    rows = StaffAlert.objects.filter(kind=kind, settled_at=None).order_by("first_at")
    return list(rows.values_list("message", flat=True))


def lose(shop: Shop, invoice: Invoice, **how: Any) -> str:
    reference = disputed(shop, invoice, **how)
    message(reference)
    shop.sandbox.close_dispute(reference, "lost")
    message(reference, "charge.dispute.closed")
    invoice.refresh_from_db()
    return reference


def lift(shop: Shop, reference: str, now: Any = NOW) -> None:
    hold = Hold.objects.get(cause=reference, lifted_at=None)
    operations.lift_hold(hold_id=hold.id, actor_id=shop.staff.user_id, reason="They agreed", now=now)


def collected(shop: Shop, now: Any = LATER) -> list[int]:
    assert operations.collect_due(now=now).problems == []
    return [charge.amount for charge in reversed(shop.charges(paid=True))]


def credit(shop: Shop, invoice: Invoice, minor: int | None = None) -> CreditNote:
    line = InvoiceLine.objects.get(section__invoice=invoice)
    return credit_lines(
        invoice_id=invoice.id, amounts={line.id: minor}, reason="-", actor_id=shop.staff.user_id, now=NOW
    )


def given_back(view: Any, transaction: str) -> Any:
    """The dispute as it would be had the bank changed its mind, which the sandbox's bank never does."""
    taken = sum(move.amount.minor for move in view.moves)
    move = ChargebackMove(transaction, Money(-taken, "USD"))
    return replace(view, status=ChargebackStatus.WON, moves=(*view.moves, move))
