"""Every kind of difference is named with figures and what to do, and is gone when it is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from callbill.domain.customers.queries import NotFound
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import record_payment
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import (
    BankPayment,
    CollectionPlan,
    CollectionStop,
    PaymentAttempt,
    Refund,
    StaffAlert,
)
from callbill.domain.reconciliation.models import BalanceTransaction, Difference
from callbill.domain.users.models import StaffAction
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.test_refunds import credit, refund
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter

NEXT_NIGHT = NIGHT + timedelta(days=1)
MARCH = world.at("2026-03-01T09:00")


def tamper(statement: str) -> None:
    """Change what is frozen, as nobody could without owning the database."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = DEFAULT")


def test_a_charge_that_nobody_here_made_stops_collection(shop: Counter) -> None:
    shop.paid()
    charge = shop.charge_by_hand(50_00)
    run = shop.reconcile()
    assert shop.kinds() == ["charge_without_attempt", "clearing_named"]
    named = shop.difference("charge_without_attempt")
    assert named.what == (
        f"Stripe has charge {charge} over $50.00\N{NO-BREAK SPACE}USD, made 10 February 2026. There is no "
        "attempt of ours that made it, and the books have nothing of it."
    )
    assert "Refund it at Stripe" in named.what_to_do
    assert (named.payer_id, named.amount_minor, named.currency) == (shop.payer.id, 50_00, "USD")
    assert shop.difference("clearing_named").amount_minor == 50_00
    assert "$50.00\N{NO-BREAK SPACE}USD of it is what the differences above come to" in (
        shop.difference("clearing_named").what
    )
    assert run.differences == 1, "one cause is counted once"
    stop = CollectionStop.objects.get()
    assert (stop.payer_id, stop.key) == (shop.payer.id, f"charge_without_attempt:{charge}")
    alerts = {alert.kind: alert.message for alert in StaffAlert.objects.filter(settled_at=None)}
    assert "Nothing is charged for Acme Dental until you lift the stop" in alerts["collection_stopped"]
    assert "found 1 new difference " in alerts["reconciliation"]

    # Nothing is charged while it stands; the next night it is the same difference and the same stop.
    second = shop.bill(10, month=2)
    payments.collect_due(now=MARCH)
    assert not PaymentAttempt.objects.filter(invoice=second).exists()
    shop.reconcile(MARCH)
    assert Difference.objects.count() == 2
    assert CollectionStop.objects.count() == 1

    # It is refunded at Stripe, and staff lift the stop: gone, and what waited is charged.
    shop.refund_by_hand(charge)
    shop.reconcile(MARCH + timedelta(hours=1))
    assert shop.kinds() == []
    assert StaffAlert.objects.filter(kind="reconciliation", settled_at=None).count() == 0
    payments.lift_collection_stop(
        stop_id=stop.id, actor_id=shop.staff.user_id, reason="A test of ours", now=MARCH + timedelta(hours=2)
    )
    assert CollectionPlan.objects.get(invoice=second).next_attempt_at == MARCH + timedelta(hours=2)
    payments.collect_due(now=MARCH + timedelta(hours=2))
    second.refresh_from_db()
    assert second.status == "paid"
    assert StaffAction.objects.get(action="lift_collection_stop").reason == "A test of ours"
    assert not StaffAlert.objects.filter(kind="collection_stopped", settled_at=None).exists()


def test_what_was_explained_does_not_stop_again(shop: Counter) -> None:
    shop.paid()
    shop.charge_by_hand(50_00)
    shop.reconcile()
    stop = CollectionStop.objects.get()
    payments.lift_collection_stop(
        stop_id=stop.id, actor_id=shop.staff.user_id, reason="They bought a headset", now=NIGHT
    )
    shop.reconcile(NEXT_NIGHT)
    assert "charge_without_attempt" in shop.kinds(), "it is named as long as it stands"
    assert not CollectionStop.objects.filter(lifted_at=None).exists()
    with pytest.raises(NotFound):
        payments.lift_collection_stop(stop_id=stop.id, actor_id=shop.staff.user_id, reason="x", now=NIGHT)


def test_an_invoice_that_was_charged_twice(shop: Counter) -> None:
    invoice = shop.paid()
    first, second = shop.charge_of(invoice), shop.charge_by_hand(135_00, invoice=invoice)
    both = ", ".join(sorted([first, second]))
    shop.reconcile()
    assert shop.kinds() == ["clearing_named", "two_charges"], "the second charge is named once"
    named = shop.difference("two_charges")
    assert f"Stripe has 2 charges for invoice {invoice.number} that were not given back: {both}" in named.what
    assert "together $270.00" in named.what
    assert "The invoice asked cards for $135.00" in named.what
    assert CollectionStop.objects.get().key == f"two_charges:{second}"
    # Found again although the first is now too long ago for the list of the night.
    later = NIGHT + timedelta(days=45)
    shop.reconcile(later)
    assert "two_charges" in shop.kinds()
    shop.refund_by_hand(second, 35_00)
    shop.reconcile(later + timedelta(hours=1))
    assert shop.difference("two_charges").amount_minor == 235_00, "net of what was given back"
    assert shop.difference("clearing_named").amount_minor == 100_00
    shop.refund_by_hand(second)
    shop.reconcile(later + timedelta(hours=2))
    assert shop.kinds() == []


def test_a_second_charge_of_an_old_invoice_is_seen(shop: Counter) -> None:
    invoice = shop.paid()
    shop.reconcile()
    much_later = NIGHT + timedelta(days=200)
    shop.reconcile(much_later - timedelta(days=1))
    shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile(much_later)
    assert "two_charges" in shop.kinds()


def test_customers_of_another_program_are_counted_once_and_stop_nobody(shop: Counter) -> None:
    shop.paid()
    stranger = shop.stranger()
    refunded = shop.charge_by_hand(10_00, customer=stranger)
    shop.charge_by_hand(20_00, customer=stranger)
    shop.refund_by_hand(refunded)
    run = shop.reconcile()
    assert shop.kinds() == ["other_customers"]
    assert "2 charges over $30.00" in shop.difference("other_customers").what
    assert run.differences == 0, "it is a note, not a difference"
    assert CollectionStop.objects.count() == 0
    assert StaffAlert.objects.count() == 0


def test_a_charge_over_another_amount_than_the_attempt(shop: Counter) -> None:
    invoice = shop.paid()
    PaymentAttempt.objects.filter(invoice=invoice).update(amount_minor=100_00)
    shop.reconcile()
    assert shop.kinds() == ["charge_amount"]
    what = shop.difference("charge_amount").what
    assert "Stripe charged $135.00" in what
    assert "our attempt says $100.00" in what
    assert "the books have $135.00" in what


def test_the_books_say_another_amount(shop: Counter) -> None:
    shop.paid()
    tamper(
        "UPDATE ledger_posting SET amount_minor = amount_minor - 500 * sign(amount_minor) "
        "WHERE entry_id = (SELECT id FROM ledger_entry WHERE kind = 'payment')"
    )
    shop.reconcile()
    assert shop.kinds() == ["books", "charge_amount", "clearing_named"]
    assert "the books have $130.00" in shop.difference("charge_amount").what
    assert shop.difference("clearing_named").amount_minor == 5_00
    assert "Acme Dental, owed: the ledger has $5.00" in shop.difference("books").what


def test_a_sandbox_that_was_forgotten(shop: Counter) -> None:
    """The key of another account: everything is missing there."""
    invoice = shop.paid()
    charge = shop.charge_of(invoice)
    shop.sandbox.reset()
    shop.reconcile()
    assert shop.kinds() == ["attempt_without_charge", "clearing_named"]
    named = shop.difference("attempt_without_charge")
    assert f"succeeded with charge {charge} over $135.00" in named.what
    assert "STRIPE_SECRET_KEY" in named.what_to_do
    assert shop.difference("clearing_named").amount_minor == -135_00


def test_an_entry_without_a_charge_or_an_attempt(shop: Counter) -> None:
    shop.paid()
    invoice = shop.bill(10, month=2)
    record_payment(invoice_id=invoice.id, amount_minor=13_50, reference="ch_dreamt", now=PAID_AT)
    shop.reconcile()
    assert shop.kinds() == ["clearing_named", "entry_without_charge"]
    assert "ch_dreamt" in shop.difference("entry_without_charge").what
    assert shop.difference("clearing_named").amount_minor == -13_50


def test_a_charge_that_the_books_did_not_take(shop: Counter) -> None:
    """It was paid otherwise while the card was being charged (apply told staff; the books refused it)."""
    invoice = shop.paid()
    tamper("DELETE FROM ledger_posting WHERE entry_id = (SELECT id FROM ledger_entry WHERE kind = 'payment')")
    tamper("DELETE FROM ledger_entry WHERE kind = 'payment'")
    record_payment_elsewhere(shop, invoice)
    shop.reconcile()
    assert shop.kinds() == ["charge_without_entry", "clearing_named"]
    assert "the invoice did not ask for it any more" in shop.difference("charge_without_entry").what
    shop.refund_by_hand(shop.charge_of(invoice))
    shop.reconcile(NIGHT + timedelta(hours=1))
    assert shop.kinds() == [], "the refund that mends it is no difference of its own"


def record_payment_elsewhere(shop: Counter, invoice: Invoice) -> None:
    amount = Money(135_00, "USD")
    BankPayment.objects.create(
        invoice=invoice,
        method="cheque",
        amount_minor=amount.minor,
        currency=amount.currency,
        reference="cheque",
        received_on=PAID_AT.date(),
        recorded_at=PAID_AT,
        recorded_by_id=shop.staff.user_id,
    )
    post(
        key="payment:bank:cheque",
        kind="payment",
        at=PAID_AT,
        description="Cheque",
        sides=[
            Side(Account.BANK, invoice.payer_id, amount),
            Side(Account.RECEIVABLE, invoice.payer_id, -amount),
        ],
    )


def test_a_refund_made_at_stripe(shop: Counter) -> None:
    invoice = shop.paid()
    made = shop.refund_by_hand(shop.charge_of(invoice), 35_00)
    shop.reconcile()
    assert shop.kinds() == ["clearing_named", "refund_not_ours"]
    named = shop.difference("refund_not_ours")
    assert f"gave $35.00\N{NO-BREAK SPACE}USD of charge {shop.charge_of(invoice)}" in named.what
    assert made in named.what
    assert shop.difference("clearing_named").amount_minor == -35_00
    assert (
        f"choose “Take over a refund made at Stripe” at the credit note and give {made}" in named.what_to_do
    )
    payments.take_over_refund(
        note_id=credit(shop, invoice, 35_00).id,
        reference=made,
        actor_id=shop.staff.user_id,
        reason="Made by hand",
        now=NIGHT,
    )
    shop.reconcile(NIGHT + timedelta(hours=1))
    assert shop.kinds() == []


def test_a_refund_of_ours_that_stripe_does_not_know(shop: Counter) -> None:
    invoice = shop.paid()
    done = refund(shop, credit(shop, invoice, 35_00))
    assert done.made
    shop.reconcile()
    assert shop.kinds() == []
    Refund.objects.update(reference="re_gone")
    shop.reconcile(NEXT_NIGHT)
    # The refund that is really there is not known by its name any more.
    assert shop.kinds() == ["refund_not_ours", "refund_without_stripe"]
    assert "Stripe knows no such refund" in shop.difference("refund_without_stripe").what


def test_a_refund_over_another_amount(shop: Counter) -> None:
    invoice = shop.paid()
    refund(shop, credit(shop, invoice, 35_00))
    Refund.objects.update(amount_minor=30_00)
    shop.reconcile()
    assert "refund_amount" in shop.kinds()
    assert "our refund says $30.00" in shop.difference("refund_amount").what


def test_a_fee_that_is_not_in_the_books(shop: Counter) -> None:
    shop.paid()
    shop.reconcile()
    tamper("DELETE FROM ledger_posting WHERE entry_id = (SELECT id FROM ledger_entry WHERE kind = 'fee')")
    tamper("DELETE FROM ledger_entry WHERE kind = 'fee'")
    shop.reconcile(NEXT_NIGHT)
    assert shop.kinds() == [], "it is read again and posted"


def test_invoices_and_ledger_disagree(shop: Counter) -> None:
    invoice = shop.paid()
    tamper(f"UPDATE invoicing_invoice SET paid_minor = 100, status = 'open' WHERE id = '{invoice.id}'")
    shop.reconcile()
    assert shop.kinds() == ["books"]
    named = shop.difference("books")
    assert "its invoices say $134.00" in named.what
    assert named.payer_id == invoice.payer_id


def test_money_on_clearing_that_belongs_to_nothing(shop: Counter) -> None:
    shop.paid()
    amount = Money(7_77, "USD")
    post(
        key="odd",
        kind="odd",
        at=PAID_AT,
        description="Odd",
        sides=[Side(Account.STRIPE_CLEARING, None, amount), Side(Account.BANK, None, -amount)],
    )
    shop.reconcile()
    assert shop.kinds() == ["clearing"]
    named = shop.difference("clearing")
    assert named.amount_minor == -7_77
    assert "The books have $138.55" in named.what  # 135.00 less the fee of 4.22, and 7.77
    assert "Stripe's balance is $130.78" in named.what


def test_what_no_other_difference_names_is_said_apart(shop: Counter) -> None:
    shop.paid()
    shop.charge_by_hand(50_00)
    amount = Money(7_77, "USD")
    post(
        key="odd",
        kind="odd",
        at=PAID_AT,
        description="Odd",
        sides=[Side(Account.STRIPE_CLEARING, None, amount), Side(Account.BANK, None, -amount)],
    )
    run = shop.reconcile()
    assert shop.kinds() == ["charge_without_attempt", "clearing"]
    assert run.differences == 2
    named = shop.difference("clearing")
    assert named.amount_minor == -7_77
    said = named.what.replace("\N{NO-BREAK SPACE}", " ")
    assert "$50.00 USD of it is what the other differences come to. -$7.77 USD is not explained." in said
    # Once that is put right, only the charge is left, and the sum of it is a note.
    post(
        key="even",
        kind="odd",
        at=PAID_AT,
        description="Put right",
        sides=[Side(Account.STRIPE_CLEARING, None, -amount), Side(Account.BANK, None, amount)],
    )
    assert shop.reconcile(NEXT_NIGHT).differences == 1
    assert shop.kinds() == ["charge_without_attempt", "clearing_named"]


def test_movements_that_we_do_not_make_are_noted(shop: Counter) -> None:
    shop.paid()
    BalanceTransaction.objects.create(
        reference="txn_topup",
        kind="topup",
        source="tu_1",
        amount_minor=100_00,
        fee_minor=0,
        net_minor=100_00,
        currency="USD",
        created_at=PAID_AT,
    )
    shop.reconcile()
    assert shop.kinds() == ["clearing", "other_movements"], "Stripe's balance has no such movement, too"
    assert "1 movement of the kind “topup”, together $100.00" in shop.difference("other_movements").what
    assert shop.difference("clearing").amount_minor == -100_00


def test_a_dispute_of_a_charge_that_nobody_here_made(shop: Counter) -> None:
    shop.paid()
    charge = shop.charge_by_hand(50_00)
    shop.sandbox.dispute(charge)
    shop.reconcile()
    assert "chargeback_unknown" in shop.kinds()
    assert f"$50.00\N{NO-BREAK SPACE}USD of charge {charge} is disputed" in (
        shop.difference("chargeback_unknown").what
    )
