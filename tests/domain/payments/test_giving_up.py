"""Staff take back a payment that waits or is in doubt: what it says is what is true at Stripe."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations
from callbill.domain.payments.models import PaymentAttempt
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, Shop

LATER = ISSUED + timedelta(hours=2)


@pytest.fixture
def invoice(shop: Shop) -> Invoice:
    """January's; its payment waits for the cardholder."""
    shop.add_card(ALWAYS_3DS)
    made = shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {"action_required": 1}
    return made


def give_up(shop: Shop, invoice: Invoice) -> str:
    return operations.stop_waiting(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="A cheque comes", now=LATER
    ).state


def test_a_500_is_not_done_and_the_next_try_asks_anew(shop: Shop, invoice: Invoice) -> None:
    """Stripe repeats a 500 under its key for a day: under one key nobody could give the payment up."""
    shop.sandbox.fault("500_before", path="/cancel$", method="POST")
    assert give_up(shop, invoice) == "action_required"
    assert give_up(shop, invoice) == "canceled"
    assert [there.status for there in shop.stripe.v1.payment_intents.list({}).data] == ["canceled"]


def test_an_answer_that_was_lost_is_asked_for(shop: Shop, invoice: Invoice) -> None:
    shop.sandbox.fault("500_after", path="/cancel$", method="POST")
    assert give_up(shop, invoice) == "canceled"


def test_the_cardholder_was_quicker(shop: Shop, invoice: Invoice) -> None:
    attempt = PaymentAttempt.objects.get()
    reference = str(attempt.intent.reference)
    there = shop.stripe.v1.payment_intents.confirm(
        reference, {"payment_method": attempt.payment_method.reference}
    )
    shop.sandbox.authenticate(reference, str(there.client_secret))
    assert give_up(shop, invoice) == "succeeded"
    invoice.refresh_from_db()
    assert invoice.status == "paid"
