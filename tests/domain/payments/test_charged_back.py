"""A part, a refund, a write-off, a credit: what else happens to an invoice whose payment is disputed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.operations import place_hold
from callbill.domain.disputes.queries import held
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import (
    VoidRefused,
    record_payment,
    void_invoice,
    write_off,
)
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations, queries
from callbill.domain.payments._chargebacks import apply_chargeback
from callbill.domain.payments.gateway import ChargebackMove, ChargebackStatus, ChargebackView, gateway
from callbill.domain.payments.models import Chargeback, StaffAlert
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.money import Money
from tests.domain.payments.disputes import (
    LATER,
    NOW,
    collected,
    credit,
    disputed,
    given_back,
    in_books,
    lift,
    lose,
    message,
    open_alerts,
    paid,
)
from tests.domain.payments.shop import Shop


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
    actor: Any = {"reason": "-", "actor_id": shop.staff.user_id, "now": LATER}
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


def given_back_for_nothing(shop: Shop) -> tuple[Invoice, ChargebackView]:
    """Lost, paid again with the card, and then given back by the bank: 135.00 more than was ever owed."""
    invoice = paid(shop)
    reference = lose(shop, invoice)
    lift(shop, reference)
    assert collected(shop) == [135_00, 135_00]
    view = given_back(gateway().fetch_chargeback(reference=reference), "txn_back_2")
    assert apply_chargeback(view=view, known=("lost", 135_00), now=LATER)
    return invoice, view


def credit_held(shop: Shop) -> int:
    return -balance(shop.payer.id, Account.CUSTOMER_BALANCE, "USD").minor


def test_given_back_after_it_was_paid_again_is_credit(shop: Shop) -> None:
    invoice, view = given_back_for_nothing(shop)
    assert apply_chargeback(view=view, known=("won", 0), now=LATER)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    assert (in_books(shop), credit_held(shop)) == ({"stripe_clearing": 270_00}, 135_00)
    mails = [mail for mail in shop.told("payment_charged_back") if "You have a credit" in mail.subject]
    assert len(mails) == 1
    assert "your next invoice uses it" in mails[0].body_text
    assert StaffAlert.objects.filter(settled_at=None).count() == 0
    assert shop.bill(10, month=2).balance_applied_minor == 13_50
    in_books(shop)


@pytest.mark.parametrize("used", [False, True])
def test_what_the_bank_takes_again_after_it_was_credit(shop: Shop, used: bool) -> None:
    """Out of the balance as far as it is there; the rest is owed again."""
    invoice, view = given_back_for_nothing(shop)
    spent = shop.bill(10, month=2).balance_applied_minor if used else 0
    again = ChargebackMove("txn_again", Money(135_00, "USD"))
    taken = replace(view, status=ChargebackStatus.LOST, moves=(*view.moves, again))
    assert apply_chargeback(view=taken, known=("won", 0), now=LATER)
    invoice.refresh_from_db()
    assert (invoice.due_minor, credit_held(shop)) == (spent, 0)
    assert in_books(shop).get("chargebacks", 0) == 0
    back = ChargebackMove("txn_back_again", Money(-135_00, "USD"))
    given = replace(view, status=ChargebackStatus.WON, moves=(*taken.moves, back))
    assert apply_chargeback(view=given, known=("lost", 135_00), now=LATER)
    invoice.refresh_from_db()
    assert (invoice.due_minor, credit_held(shop)) == (0, 135_00 - spent)
    in_books(shop)
