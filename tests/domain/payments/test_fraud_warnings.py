"""Early warnings of fraud: held and told to staff; gone when refunded, disputed or found harmless."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice, InvoiceLine
from callbill.domain.invoicing.operations import credit_lines
from callbill.domain.ledger.models import Entry
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import FraudWarning, GatewayEvent, StaffAlert
from tests.domain import world
from tests.domain.payments.shop import Shop

NOW = world.at("2026-02-10T15:00")
_events = itertools.count(1)


def paid(shop: Shop) -> Invoice:
    shop.add_card(default=True)
    invoice = shop.bill()
    assert operations.collect_due(now=NOW).problems == []
    invoice.refresh_from_db()
    return invoice


def warned(shop: Shop, invoice: Invoice, *, tell: bool = True) -> str:
    reference = str(shop.sandbox.early_fraud_warning(str(shop.attempt(invoice).charge))["id"])
    if tell:
        message(reference)
    return reference


def message(reference: str, kind: str = "radar.early_fraud_warning.created") -> None:
    GatewayEvent.objects.create(
        event_id=f"evt_warning_{next(_events)}", kind=kind, object_id=reference, received_at=NOW
    )
    operations.handle_events(now=NOW)


def refund_all(shop: Shop, invoice: Invoice, minor: int | None = None) -> None:
    line = InvoiceLine.objects.get(section__invoice=invoice)
    who: dict[str, Any] = {"reason": "-", "actor_id": shop.staff.user_id, "now": NOW}
    note = credit_lines(invoice_id=invoice.id, amounts={line.id: minor}, **who)
    assert operations.refund_to_card(note_id=note.id, **who).made


def matters() -> list[str]:
    rows = StaffAlert.objects.filter(kind="fraud_warning", settled_at=None)
    return list(rows.values_list("message", flat=True))


def test_a_warning_holds_the_invoice_and_tells_staff_once(shop: Shop) -> None:
    invoice = paid(shop)
    entries = Entry.objects.count()
    reference = warned(shop, invoice)
    message(reference)
    message(reference, "radar.early_fraud_warning.updated")
    assert (FraudWarning.objects.get().reference, Entry.objects.count()) == (reference, entries)
    hold = Hold.objects.get()
    assert (hold.kind, hold.cause, hold.amount_minor, hold.lifted_at) == (
        "fraud_warning",
        reference,
        None,
        None,
    )
    (told,) = matters()
    assert told == (
        f"The bank warns that the payment of $135.00 for invoice {invoice.number} may be fraud "
        "(made with stolen card). Credit the invoice and refund it to the card before it becomes a "
        "chargeback, or lift the hold if the customer confirms the payment."
    )
    assert StaffAlert.objects.get(kind="fraud_warning").times == 1
    assert "its holder may not have made the payment" in queries.what_happens_next(invoice.id)
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_following_the_advice_settles_it(shop: Shop) -> None:
    invoice = paid(shop)
    warned(shop, invoice)
    refund_all(shop, invoice, 35_00)
    assert Hold.objects.get().lifted_at is None, "a part was refunded; the rest may still be disputed"
    refund_all(shop, invoice)
    assert Hold.objects.get().lifted_because == "The payment was refunded"
    assert matters() == []
    assert queries.books_differences() == []


def test_staff_lift_it_when_the_customer_confirms(shop: Shop) -> None:
    invoice = paid(shop)
    reference = warned(shop, invoice)
    operations.lift_hold(
        hold_id=Hold.objects.get().id, actor_id=shop.staff.user_id, reason="They called", now=NOW
    )
    assert matters() == []
    message(reference)
    assert Hold.objects.filter(lifted_at=None).count() == len(matters()) == 0


def test_a_dispute_takes_the_place_of_its_warning(shop: Shop) -> None:
    invoice = paid(shop)
    warned(shop, invoice)
    reference = str(shop.sandbox.dispute(str(shop.attempt(invoice).charge))["id"])
    message(reference, "charge.dispute.created")
    (hold,) = Hold.objects.filter(lifted_at=None)
    assert (hold.kind, hold.cause) == ("chargeback", reference)
    assert matters() == []


@pytest.mark.parametrize("how", ["refunded", "disputed"])
def test_a_warning_that_comes_too_late_is_only_kept(shop: Shop, how: str) -> None:
    invoice = paid(shop)
    reference = warned(shop, invoice, tell=False)
    if how == "refunded":
        refund_all(shop, invoice)
    else:
        dispute = str(shop.sandbox.dispute(str(shop.attempt(invoice).charge))["id"])
        message(dispute, "charge.dispute.created")
    message(reference)
    assert FraudWarning.objects.count() == 1
    assert not Hold.objects.filter(kind="fraud_warning").exists()
    assert matters() == []
