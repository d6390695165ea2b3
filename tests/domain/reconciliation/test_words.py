"""What staff are told to do can be done, and says with what."""

from __future__ import annotations

from callbill.domain.payments import operations as payments
from callbill.domain.reconciliation import _balance_words, _words
from callbill.domain.reconciliation.models import Difference
from callbill.rules.money import Money
from tests.domain.reconciliation.conftest import PAID_AT, Counter


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def twice(**changed: object) -> dict[str, object]:
    return {
        "id": "1",
        "number": "CIC-1",
        "payer_id": None,
        "currency": "USD",
        "owed": 135_00,
        "currencies": ["USD"],
        "nets": [270_00],
        "of_each": [135_00, 135_00],
        "charges": ["ch_1", "ch_2"],
        "unposted": [],
        **changed,
    }


def test_which_of_two_charges_to_refund_and_where() -> None:
    unknown = _words.two_charges(twice(unposted=["ch_1"])).what_to_do
    assert unknown.startswith("ch_1 is too much: the books do not have it. Refund it at Stripe,")
    booked = _words.two_charges(twice()).what_to_do
    assert booked.startswith("ch_2 is too much, and the books have it. Credit lines of invoice CIC-1")
    assert "refund the credit note here" in booked
    for said in (unknown, booked):
        assert said.lower().endswith("tell the customer, then lift the stop.")


def test_what_an_invoice_asked_cards_for(shop: Counter) -> None:
    """What came by bank was not asked of a card."""
    shop.at(PAID_AT)
    shop.add_card(default=True)
    invoice = shop.bill()
    payments.record_bank_payment(
        invoice_id=invoice.id,
        method="cheque",
        amount=Money(100_00, "USD"),
        reference="77",
        received_on=PAID_AT.date(),
        reason="-",
        actor_id=shop.staff.user_id,
        now=PAID_AT,
    )
    payments.collect_due(now=PAID_AT)
    second = shop.charge_by_hand(35_00, invoice=invoice)
    shop.reconcile()
    named = shop.difference("two_charges")
    assert "together $70.00 USD. The invoice asked cards for $35.00 USD." in plain(named.what)
    assert named.what_to_do.startswith(f"{second} is too much: the books do not have it.")
    assert named.invoice_number == invoice.number


def test_what_should_be_impossible_says_to_whom_and_with_what() -> None:
    amount = Money(1, "USD")
    said = _balance_words.books("Acme", None, "owed", amount, amount).what_to_do
    assert "Stop the worker" in said
    assert "whoever looks after Callbill for you" in said
    assert "`callbill doctor`" in said


def test_every_advice_is_kept_with_its_invoice(shop: Counter) -> None:
    invoice = shop.paid()
    shop.refund_by_hand(shop.charge_of(invoice), 35_00)
    shop.reconcile()
    kept = Difference.objects.get(kind="refund_not_ours", gone_at=None)
    assert (kept.invoice_number, kept.payer_id) == (invoice.number, shop.payer.id)
