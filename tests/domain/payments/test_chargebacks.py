"""Charges that a cardholder's bank disputes: followed once, in whatever order, and owed again if lost."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.operations import place_hold
from callbill.domain.disputes.queries import held
from callbill.domain.invoicing.models import CreditNote, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import (
    VoidRefused,
    credit_lines,
    record_payment,
    void_invoice,
    write_off,
)
from callbill.domain.ledger.models import Account, Entry
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations, queries
from callbill.domain.payments._chargebacks import apply_chargeback
from callbill.domain.payments.gateway import ChargebackMove, ChargebackStatus, gateway
from callbill.domain.payments.models import (
    Chargeback,
    CollectionPlan,
    GatewayEvent,
    PaymentAttempt,
    Receipt,
    StaffAlert,
)
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import VISA, Shop

NOW = world.at("2026-02-10T15:00")
LATER = world.at("2026-03-01T15:00")
_events = itertools.count(1)
KINDS = ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")


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

    assert queries.books_differences() == []
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
    assert Receipt.objects.get() == receipt
    assert len(shop.told("payment_received")) == 2
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
    assert invoice.number in told


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


def test_a_part_of_a_charge(shop: Shop) -> None:
    invoice = paid(shop)
    reference = lose(shop, invoice, amount=40_00)
    assert (invoice.status, invoice.due_minor) == ("past_due", 40_00)
    assert in_books(shop) == {"receivable": 40_00, "stripe_clearing": 95_00}
    lift(shop, reference)
    assert collected(shop) == [135_00, 40_00]
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    in_books(shop)


def test_what_else_is_due_is_collected_while_a_part_payment_is_disputed(shop: Shop) -> None:
    """35.00 held for a question, 100.00 paid and disputed: neither stands in the other's way."""
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
    reference = disputed(shop, invoice)
    message(reference)
    operations.lift_hold(hold_id=question.id, actor_id=shop.staff.user_id, reason="-", now=NOW)
    assert collected(shop, NOW) == [100_00, 35_00]
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    shop.sandbox.close_dispute(reference, "lost")
    message(reference)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor, held(invoice).minor) == ("past_due", 100_00, 100_00)
    assert collected(shop) == [100_00, 35_00]
    in_books(shop)


def credit(shop: Shop, invoice: Invoice, minor: int | None = None) -> CreditNote:
    line = InvoiceLine.objects.get(section__invoice=invoice)
    return credit_lines(
        invoice_id=invoice.id, amounts={line.id: minor}, reason="-", actor_id=shop.staff.user_id, now=NOW
    )


def test_a_disputed_charge_is_not_refunded(shop: Shop) -> None:
    invoice = paid(shop)
    note = credit(shop, invoice, 35_00)
    reference = disputed(shop, invoice)
    message(reference)
    refused = pytest.raises(operations.CannotRefund, match="cannot go to the card a second time")
    with refused:
        operations.refund_to_card(note_id=note.id, actor_id=shop.staff.user_id, reason="-", now=NOW)
    assert queries.refundable_notes(shop.staff, invoice.id) == {}
    shop.sandbox.close_dispute(reference, "won")
    message(reference)
    assert queries.refundable_notes(shop.staff, invoice.id) == {note.id: Money(35_00, "USD")}
    assert operations.refund_to_card(note_id=note.id, actor_id=shop.staff.user_id, reason="-", now=NOW).made
    in_books(shop)


def test_a_refund_on_its_way_when_the_dispute_comes_is_balance_again(shop: Shop) -> None:
    """Stripe refuses it; nobody gets the money twice."""
    invoice = paid(shop)
    note = credit(shop, invoice, 35_00)
    disputed(shop, invoice)  # we have not been told
    done = operations.refund_to_card(note_id=note.id, actor_id=shop.staff.user_id, reason="-", now=NOW)
    assert not done.made
    assert balance(shop.payer.id, Account.CUSTOMER_BALANCE, "USD").minor == -35_00
    in_books(shop)


def test_a_charge_that_was_refunded_in_part_before(shop: Shop) -> None:
    invoice = paid(shop)
    note = credit(shop, invoice, 35_00)
    operations.refund_to_card(note_id=note.id, actor_id=shop.staff.user_id, reason="-", now=NOW)
    lose(shop, invoice)
    assert Chargeback.objects.get().amount_minor == 100_00
    assert (invoice.status, invoice.due_minor) == ("past_due", 100_00)
    assert in_books(shop) == {"receivable": 100_00}


def test_an_invoice_of_which_the_rest_was_written_off(shop: Shop) -> None:
    shop.add_card(default=True)
    invoice = shop.bill()
    record_payment(invoice_id=invoice.id, amount_minor=35_00, reference="wire", now=NOW)
    operations.collect_due(now=NOW)
    attempt = shop.attempt(invoice)
    assert attempt.amount_minor == 100_00
    invoice.refresh_from_db()
    # As if only the card had paid, and the rest had been given up.
    lose(shop, invoice, amount=60_00)
    write_off(invoice_id=invoice.id, reason="-", actor_id=shop.staff.user_id, now=NOW)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("uncollectible", 60_00)
    assert in_books(shop)["bad_debt"] == 60_00
    operations.ask_about_chargebacks(now=NOW)
    assert not Hold.objects.filter(lifted_at=None).exists(), "nothing is collected any more"
    assert open_alerts() == []
    record_payment(invoice_id=invoice.id, amount_minor=60_00, reference="cheque", now=NOW, into=Account.BANK)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    in_books(shop)


def test_a_charge_lost_on_an_invoice_that_is_written_off_is_bad_debt(shop: Shop) -> None:
    shop.add_card(default=True)
    invoice = shop.bill()
    place_hold(
        invoice_id=invoice.id,
        kind="staff",
        cause="s",
        amount=Money(35_00, "USD"),
        reason="-",
        actor_id=shop.staff.user_id,
        now=NOW,
    )
    assert collected(shop, NOW) == [100_00]
    write_off(invoice_id=invoice.id, reason="-", actor_id=shop.staff.user_id, now=NOW)
    lose(shop, invoice)
    assert (invoice.status, invoice.due_minor) == ("uncollectible", 135_00)
    assert in_books(shop) == {"bad_debt": 135_00}
    assert shop.told("payment_charged_back") == []
    assert not Hold.objects.filter(kind="chargeback", lifted_at=None).exists()


def test_written_off_recovered_charged_back_and_written_off_again(shop: Shop) -> None:
    shop.add_card(default=True)
    invoice = shop.bill()
    place_hold(
        invoice_id=invoice.id,
        kind="staff",
        cause="s",
        amount=Money(35_00, "USD"),
        reason="-",
        actor_id=shop.staff.user_id,
        now=NOW,
    )
    assert collected(shop, NOW) == [100_00]
    write_off(invoice_id=invoice.id, reason="-", actor_id=shop.staff.user_id, now=NOW)
    record_payment(invoice_id=invoice.id, amount_minor=35_00, reference="cheque", now=NOW, into=Account.BANK)
    lose(shop, invoice)
    assert (invoice.status, invoice.due_minor) == ("past_due", 100_00)
    write_off(invoice_id=invoice.id, reason="-", actor_id=shop.staff.user_id, now=NOW)
    assert in_books(shop) == {"bad_debt": 100_00}


def test_what_a_clerk_can_do_with_an_invoice_that_was_charged_back(shop: Shop) -> None:
    invoice = paid(shop)
    reference = lose(shop, invoice)
    actor = {"reason": "-", "actor_id": shop.staff.user_id, "now": LATER}
    with pytest.raises(VoidRefused, match=r"was paid\. Credit its lines instead"):
        void_invoice(invoice_id=invoice.id, **actor)
    with pytest.raises(operations.OnHold):
        operations.retry_now(invoice_id=invoice.id, **actor)
    note = credit(shop, invoice, 35_00)
    assert (note.lowered_due_minor, note.to_balance_minor) == (35_00, 0)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor, held(invoice).minor) == ("past_due", 100_00, 100_00)
    record_payment(invoice_id=invoice.id, amount_minor=60_00, reference="wire", now=LATER, into=Account.BANK)
    with pytest.raises(ReasonMissing):
        operations.lift_hold(
            hold_id=Hold.objects.get().id, actor_id=shop.staff.user_id, reason=" ", now=LATER
        )
    lift(shop, reference)
    assert collected(shop) == [135_00, 40_00]
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    in_books(shop)


def test_crediting_all_that_is_owed_again_settles_it(shop: Shop) -> None:
    invoice = paid(shop)
    lose(shop, invoice)
    note = credit(shop, invoice)
    assert (note.lowered_due_minor, note.to_balance_minor) == (135_00, 0)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    assert in_books(shop) == {}
    operations.ask_about_chargebacks(now=LATER)
    assert not Hold.objects.filter(lifted_at=None).exists()
    assert open_alerts() == []
    assert collected(shop) == [135_00]


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


def test_given_back_after_it_was_paid_again_is_a_matter_for_staff(shop: Shop) -> None:
    invoice = paid(shop)
    reference = lose(shop, invoice)
    lift(shop, reference)
    assert collected(shop) == [135_00, 135_00]
    view = gateway().fetch_chargeback(reference=reference)
    assert apply_chargeback(view=given_back(view, "txn_back_2"), known=("lost", 135_00), now=LATER)
    (told,) = open_alerts("chargeback_surplus")
    assert "gave back $135.00" in told
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    assert in_books(shop) == {"stripe_clearing": 270_00, "chargebacks": -135_00}


def given_back(view: Any, transaction: str) -> Any:
    """The dispute as it would be had the bank changed its mind, which the sandbox's bank never does."""
    taken = sum(move.amount.minor for move in view.moves)
    move = ChargebackMove(transaction, Money(-taken, "USD"))
    return replace(view, status=ChargebackStatus.WON, moves=(*view.moves, move))


def test_a_dispute_of_a_charge_that_is_not_ours_is_given_to_staff(shop: Shop) -> None:
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
    event = GatewayEvent.objects.get()
    assert event.handled_at is None
    assert "No payment of ours" in event.problem
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
