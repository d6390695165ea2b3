"""Charges that a cardholder's bank disputes: followed once, in whatever order, and owed again if lost."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.operations import place_hold
from callbill.domain.disputes.queries import held
from callbill.domain.ledger.models import Entry
from callbill.domain.payments import operations, queries
from callbill.domain.payments._chargebacks import apply_chargeback, follow_chargeback
from callbill.domain.payments.gateway import (
    TryLater,
    gateway,
)
from callbill.domain.payments.models import (
    Chargeback,
    CollectionPlan,
    GatewayEvent,
    PaymentAttempt,
    Receipt,
)
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.disputes import (
    LATER,
    NOW,
    collected,
    disputed,
    given_back,
    in_books,
    lift,
    lose,
    message,
    open_alerts,
    paid,
)
from tests.domain.payments.shop import VISA, Shop

KINDS = ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")


def test_while_the_bank_decides_the_money_is_there_and_the_invoice_stays_paid(shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice, reason="product_not_received")
    message(reference)
    row = Chargeback.objects.get()
    assert (row.state, row.amount_minor, row.withdrawn_minor, row.lost_minor) == ("open", 135_00, 135_00, 0)
    assert row.evidence_due_at is not None
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor, held(invoice)) == ("paid", 0, Money(0, "USD"))
    assert in_books(shop) == {"chargebacks": 135_00}
    (hold,) = Hold.objects.filter(lifted_at=None)
    assert (hold.kind, hold.cause, hold.amount_minor) == ("chargeback", reference, 135_00)
    (told,) = open_alerts()
    assert "disputes a payment of $135.00 for invoice" in told
    assert "They say that the service was not received. Answer by" in told
    words = queries.what_happens_next(invoice.id)
    assert "The cardholder's bank disputes the payment of 10 February 2026 with Visa •••• 4242" in words
    assert "if not, $135.00 is owed again" in words
    assert shop.told("payment_charged_back") == []
    with pytest.raises(operations.HoldRefused, match="has not decided yet"):
        lift(shop, reference)


def test_won_is_as_before(shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice)
    message(reference)
    shop.sandbox.close_dispute(reference, "won")
    message(reference, "charge.dispute.closed")
    row = Chargeback.objects.get()
    assert (row.state, row.withdrawn_minor, row.lost_minor) == ("won", 0, 0)
    assert row.closed_at == NOW
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert in_books(shop) == {"stripe_clearing": 135_00}
    assert not Hold.objects.filter(lifted_at=None).exists()
    assert open_alerts() == []
    assert queries.what_happens_next(invoice.id) == "Paid on 10 February 2026. There is nothing to do."
    assert shop.told("payment_charged_back") == []


def test_lost_is_owed_again_and_waits_for_staff(shop: Shop) -> None:
    invoice = paid(shop)
    receipt = Receipt.objects.get()
    reference = lose(shop, invoice)
    assert (invoice.status, invoice.due_minor, invoice.charged_back_minor) == ("past_due", 135_00, 135_00)
    assert (invoice.past_due_at, invoice.paid_at) == (NOW, None)
    assert in_books(shop) == {"receivable": 135_00}
    (told,) = shop.told("payment_charged_back")
    assert "the card's bank has taken $135.00 back for good" in told.body_text
    assert "What to do: $135.00 is owed again." in told.body_text
    (matter,) = open_alerts()
    assert matter.startswith("The dispute of $135.00 for invoice")
    assert "lift the hold to have the card charged" in matter
    assert collected(shop) == [135_00], "nothing is charged by itself"
    words = queries.what_happens_next(invoice.id)
    assert words.startswith("The cardholder's bank has taken back $135.00 of the payment of 10 February")
    with pytest.raises(operations.OnHold):
        operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    (need,) = queries.need_a_person(shop.staff)
    assert need.what_to_do.startswith("It is on hold")
    assert shop.told("past_due") == shop.told("payment_failed") == []

    lift(shop, reference)
    assert open_alerts() == []
    assert collected(shop) == [135_00, 135_00]
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor, invoice.paid_minor) == ("paid", 0, 270_00)
    assert in_books(shop) == {"stripe_clearing": 135_00}
    new = Receipt.objects.exclude(id=receipt.id).get()
    assert (new.number, new.amount_minor) == ("CIC-R-000002", 135_00)
    first, again = shop.told("payment_received")
    assert (first.attachment, again.attachment) == (f"receipt:{receipt.id}", f"receipt:{new.id}")
    assert "Your receipt is attached." in again.body_text
    message(reference, "charge.dispute.closed")
    assert collected(shop, LATER + timedelta(days=60)) == [135_00, 135_00]


def test_an_inquiry_moves_nothing(shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice, inquiry=True)
    message(reference)
    assert Chargeback.objects.get().state == "inquiry"
    assert in_books(shop) == {"stripe_clearing": 135_00}
    (told,) = open_alerts()
    assert "Answer at Stripe, or refund it" in told
    assert "asks about the payment of 10 February 2026" in queries.what_happens_next(invoice.id)
    shop.sandbox.close_dispute(reference, "warning_closed")
    message(reference, "charge.dispute.closed")
    assert Chargeback.objects.get().state == "inquiry_closed"
    assert not Hold.objects.filter(lifted_at=None).exists()
    assert open_alerts() == []
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_an_inquiry_that_becomes_a_chargeback(shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice, inquiry=True)
    message(reference)
    shop.stripe.v1.disputes.update(
        reference, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}, "submit": True}
    )
    shop.sandbox.advance(60)
    message(reference, "charge.dispute.updated")
    assert Chargeback.objects.get().state == "open"
    assert in_books(shop) == {"chargebacks": 135_00}
    assert Hold.objects.filter(lifted_at=None).count() == 1
    (told,) = open_alerts()
    assert "disputes a payment" in told
    assert str(invoice.number) in told


@pytest.mark.parametrize("outcome", ["won", "lost"])
@pytest.mark.parametrize("seed", range(3))
def test_messages_in_any_order_doubled_and_late(shop: Shop, outcome: str, seed: int) -> None:
    """Every message tells of the dispute as it is by then; what comes after changes nothing."""
    invoice = paid(shop)
    reference = disputed(shop, invoice)
    kinds = [f"charge.dispute.{kind}" for kind in KINDS] * 2
    dice = random.Random(seed)
    dice.shuffle(kinds)
    closes_before = dice.randrange(len(kinds))
    for index, kind in enumerate(kinds):
        if index == closes_before:
            shop.sandbox.close_dispute(reference, outcome)
        message(reference, kind)
    invoice.refresh_from_db()
    lost = outcome == "lost"
    assert invoice.status == ("past_due" if lost else "paid")
    assert invoice.charged_back_minor == (135_00 if lost else 0)
    assert in_books(shop) == ({"receivable": 135_00} if lost else {"stripe_clearing": 135_00})
    assert Hold.objects.filter(lifted_at=None).count() == lost
    assert len(shop.told("payment_charged_back")) == lost
    assert GatewayEvent.objects.filter(handled_at=None).count() == 0


def test_an_old_view_is_not_applied_over_a_newer_one(shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice)
    old = gateway().fetch_chargeback(reference=reference)
    shop.sandbox.close_dispute(reference, "won")
    message(reference)
    assert not apply_chargeback(view=old, known=None, now=NOW), "somebody else was there meanwhile"
    assert Chargeback.objects.get().state == "won"
    assert in_books(shop) == {"stripe_clearing": 135_00}


def test_a_dispute_nobody_told_of_is_found_and_asked_about_every_day(shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice)
    at_stripe = shop.stripe.v1.disputes.retrieve(reference).created
    day = world.at("1970-01-01T00:00") + timedelta(seconds=at_stripe, hours=1)
    assert operations.ask_about_chargebacks(now=day) == []
    assert Chargeback.objects.get().state == "open"
    shop.sandbox.close_dispute(reference, "lost")
    assert operations.ask_about_chargebacks(now=day + timedelta(days=30)) == []
    invoice.refresh_from_db()
    assert (Chargeback.objects.get().state, invoice.status) == ("lost", "past_due")
    entries = Entry.objects.count()
    assert operations.ask_about_chargebacks(now=day + timedelta(days=31)) == []
    assert Entry.objects.count() == entries
    in_books(shop)


def test_when_stripe_cannot_be_reached_the_next_day_asks_again(shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice)
    message(reference)
    shop.sandbox.close_dispute(reference, "won")
    shop.sandbox.fault("503", path="/v1/disputes/", method="GET", times=3)
    (problem,) = operations.ask_about_chargebacks(now=LATER)
    assert reference in problem
    assert operations.ask_about_chargebacks(now=LATER) == []
    assert Chargeback.objects.get().state == "won"


def test_a_lost_dispute_that_the_bank_gives_back_after_all(shop: Shop) -> None:
    invoice = paid(shop)
    reference = lose(shop, invoice)
    view = gateway().fetch_chargeback(reference=reference)
    back = given_back(view, "txn_back_1")
    assert apply_chargeback(view=back, known=("lost", 135_00), now=LATER)
    assert apply_chargeback(view=back, known=("won", 0), now=LATER)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.charged_back_minor) == ("paid", 0)
    assert in_books(shop) == {"stripe_clearing": 135_00}
    assert not Hold.objects.filter(lifted_at=None).exists()
    assert CollectionPlan.objects.get().next_attempt_at is None
    assert collected(shop) == [135_00]


def test_given_back_before_the_invoice_had_a_receipt(shop: Shop) -> None:
    shop.add_card(default=True)
    invoice = shop.bill()
    question = place_hold(
        invoice_id=invoice.id,
        kind="question",
        cause="q",
        amount=Money(35_00, "USD"),
        reason="They ask",
        actor_id=shop.staff.user_id,
        now=NOW,
    )
    assert collected(shop, NOW) == [100_00]
    reference = lose(shop, invoice)
    operations.lift_hold(hold_id=question.id, actor_id=shop.staff.user_id, reason="-", now=NOW)
    assert collected(shop, NOW) == [100_00, 35_00]
    assert Receipt.objects.count() == 0
    view = gateway().fetch_chargeback(reference=reference)
    assert apply_chargeback(view=given_back(view, "txn_back_3"), known=("lost", 100_00), now=LATER)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    assert Receipt.objects.get().amount_minor == 135_00
    assert in_books(shop) == {"stripe_clearing": 135_00}


def test_a_dispute_of_a_charge_that_is_not_ours_is_left_alone(shop: Shop) -> None:
    customer = shop.stripe.v1.customers.create({"name": "Somebody else"})
    method = shop.stripe.v1.payment_methods.attach(VISA, {"customer": customer.id})
    made = shop.stripe.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": method.id,
            "confirm": True,
            "off_session": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    reference = str(shop.sandbox.dispute(str(made.latest_charge))["id"])
    message(reference)
    assert GatewayEvent.objects.get().handled_at is not None
    day = world.at("1970-01-01T00:00") + timedelta(seconds=made.created, hours=1)
    assert operations.ask_about_chargebacks(now=day) == []
    assert Chargeback.objects.count() == 0


def test_a_dispute_that_comes_before_the_payment_is_known_here_waits(shop: Shop) -> None:
    shop.add_card(default=True)
    invoice = shop.bill()
    shop.sandbox.fault("reset_mid_body", path="/confirm$", method="POST")
    shop.sandbox.fault("503", path="/v1/payment_intents/pi_", method="GET", times=3)
    operations.collect_due(now=NOW)
    assert shop.attempt(invoice).state == "submitted"
    (charge,) = shop.charges(paid=True)
    reference = str(shop.sandbox.dispute(charge.id)["id"])
    message(reference)
    assert Chargeback.objects.count() == 0
    operations.sweep_attempts(now=NOW + timedelta(hours=1))
    operations.handle_events(now=NOW + timedelta(hours=1))
    assert Chargeback.objects.get().state == "open"
    assert PaymentAttempt.objects.get().state == "succeeded"
    in_books(shop)


def test_a_charge_that_our_books_do_not_have_moves_nothing_in_them(shop: Shop) -> None:
    """It was made for an invoice that was settled otherwise meanwhile; staff were told to refund it."""
    invoice = paid(shop)
    entry = Entry.objects.get(key=f"payment:{shop.attempt(invoice).charge}")
    attempt = shop.attempt(invoice)
    other = f"{attempt.charge}x"
    PaymentAttempt.objects.filter(id=attempt.id).update(charge=other)
    reference = str(shop.sandbox.dispute(str(entry.key).partition(":")[2])["id"])
    view = gateway().fetch_chargeback(reference=reference)
    assert apply_chargeback(view=replace(view, charge=other), known=None, now=NOW)
    assert Chargeback.objects.get().withdrawn_minor == 0
    assert in_books(shop) == {"stripe_clearing": 135_00}


def test_several_messages_at_the_same_moment(shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice)
    shop.sandbox.close_dispute(reference, "lost")

    def follow(_: int) -> None:
        try:
            follow_chargeback(reference=reference, now=NOW)
        except TryLater:
            pass  # as a message that is tried again
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as crew:
        list(crew.map(follow, range(6)))
    assert Chargeback.objects.get().lost_minor == 135_00
    assert in_books(shop) == {"receivable": 135_00}
    assert len(shop.told("payment_charged_back")) == 1
    assert Hold.objects.count() == 1


def test_where_staff_answer_a_dispute(shop: Shop, settings: Any) -> None:
    assert gateway().dispute_page(reference="du_1") == f"{shop.sandbox.url}/disputes"
    settings.STRIPE_API_BASE = ""
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    assert gateway().dispute_page(reference="du_1") == "https://dashboard.stripe.com/test/disputes/du_1"
    settings.STRIPE_SECRET_KEY = "rk_live_1"
    assert gateway().dispute_page(reference="du_1") == "https://dashboard.stripe.com/disputes/du_1"
