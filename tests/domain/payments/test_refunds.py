"""Credit going back to the card: once, whatever happens, and never more than there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callbill.domain.invoicing.models import CreditNote, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import BeingPaid, credit_lines, record_payment, void_invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import _refunding, gateway, operations, queries
from callbill.domain.payments.models import PaymentAttempt, Refund, StaffAlert
from callbill.domain.payments.operations import _events
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import ALWAYS_3DS, DECLINES, VISA, Shop

NOW = world.at("2026-02-10T15:00")


def paid(shop: Shop, token: str = VISA, month: int = 1) -> Invoice:
    """An invoice over 135.00, charged to the card."""
    shop.add_card(token, default=True)
    invoice = shop.bill(month=month)
    assert operations.collect_due(now=NOW).problems == []
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    return invoice


def credit(shop: Shop, invoice: Invoice, minor: int | None = None) -> CreditNote:
    line = InvoiceLine.objects.get(section__invoice=invoice)
    return credit_lines(
        invoice_id=invoice.id, amounts={line.id: minor}, reason="-", actor_id=shop.staff.user_id, now=NOW
    )


def refund(shop: Shop, note: CreditNote, reason: str = "They asked for it") -> queries.RefundFacts:
    return operations.refund_to_card(note_id=note.id, actor_id=shop.staff.user_id, reason=reason, now=NOW)


def at_stripe(shop: Shop) -> list[Any]:
    return list(shop.stripe.v1.refunds.list({"limit": 100}).data)


def held(shop: Shop, account: Account) -> int:
    return balance(shop.payer.id, account, "USD").minor


def test_credit_goes_back_to_the_card_that_paid(shop: Shop) -> None:
    invoice = paid(shop)
    note = credit(shop, invoice, 35_00)
    assert queries.refundable_notes(shop.staff, invoice.id) == {note.id: Money(35_00, "USD")}
    done = refund(shop, note)
    assert (done.made, done.amount, done.card) == (True, Money(35_00, "USD"), "Visa •••• 4242")
    (there,) = at_stripe(shop)
    assert (there.amount, there.charge) == (35_00, shop.attempt(invoice).charge)
    assert there.metadata["refund"] == str(done.id)
    assert (held(shop, Account.CUSTOMER_BALANCE), held(shop, Account.REFUNDS_PAYABLE)) == (0, 0)
    assert held(shop, Account.STRIPE_CLEARING) == 100_00
    assert queries.books_differences() == []
    (told,) = shop.told("refund_made")
    assert "$35.00 of credit note CIC-CN-000001 went back to your Visa •••• 4242." in told.body_text
    action = StaffAction.objects.get(action="refund_to_card")
    assert (action.reason, action.details["amount"]) == ("They asked for it", "35.00 USD")
    assert [facts.state_word for facts in queries.refunds_of(shop.admin, invoice.id)] == ["Refunded"]
    assert queries.refundable_notes(shop.staff, invoice.id) == {}
    with pytest.raises(operations.CannotRefund, match="refunded or used already"):
        refund(shop, note)


def test_a_refund_needs_a_reason_and_a_card_that_paid(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    lowered = credit(shop, invoice, 5_00)
    with pytest.raises(operations.CannotRefund, match="only lowered what was to be paid"):
        refund(shop, lowered)
    record_payment(invoice_id=invoice.id, amount_minor=130_00, reference="wire", now=NOW)
    note = credit(shop, invoice, 10_00)
    with pytest.raises(operations.CannotRefund, match="was not paid by card"):
        refund(shop, note)
    other = paid(shop, month=2)
    with pytest.raises(ReasonMissing):
        refund(shop, credit(shop, other), reason=" ")
    assert Refund.objects.count() == 0
    assert queries.books_differences() == []


def test_balance_that_an_invoice_used_is_not_refunded_again(shop: Shop) -> None:
    note = credit(shop, paid(shop), 35_00)
    second = shop.bill(10, month=2)
    assert second.balance_applied_minor == 13_50
    done = refund(shop, note)
    assert done.amount == Money(21_50, "USD")
    assert held(shop, Account.CUSTOMER_BALANCE) == 0
    assert queries.books_differences() == []


def test_never_more_than_the_charge(shop: Shop) -> None:
    first = credit(shop, paid(shop), 35_00)
    second = credit(shop, paid(shop, month=2))
    assert (second.lowered_due_minor, second.to_balance_minor) == (0, 135_00)
    # 35.00 of the second invoice was paid with the first's credit, so its charge was 100.00.
    assert refund(shop, second).amount == Money(100_00, "USD")
    assert refund(shop, first).amount == Money(35_00, "USD")
    assert sum(there.amount for there in at_stripe(shop)) == 135_00
    assert queries.books_differences() == []


def test_a_pending_refund_is_asked_about_until_it_arrives(shop: Shop) -> None:
    token = shop.stripe.v1.payment_methods.create(
        {
            "type": "card",
            "card": {"number": "4000000000007726", "exp_month": 12, "exp_year": 2040, "cvc": "123"},
        }
    ).id
    done = refund(shop, credit(shop, paid(shop, token)))
    assert (done.state, done.made) == ("pending", False)
    assert (held(shop, Account.CUSTOMER_BALANCE), held(shop, Account.REFUNDS_PAYABLE)) == (0, -135_00)
    assert shop.told("refund_made") == []
    assert queries.books_differences() == []
    shop.sandbox.advance(3600)
    assert operations.sweep_refunds(now=NOW + timedelta(hours=1)) == []
    assert Refund.objects.get().state == "pending", "it is not asked every minute"
    assert operations.sweep_refunds(now=NOW + timedelta(hours=7)) == []
    assert Refund.objects.get().state == "succeeded"
    assert held(shop, Account.REFUNDS_PAYABLE) == 0
    assert len(shop.told("refund_made")) == 1
    assert queries.books_differences() == []


def test_a_refund_that_comes_back_is_balance_again(shop: Shop) -> None:
    note = credit(shop, paid(shop, "pm_card_refundFail"))
    assert refund(shop, note).made
    shop.sandbox.advance(3600)
    (there,) = at_stripe(shop)
    for _ in range(2):
        _events._refund_moved(there.id, NOW)
    assert Refund.objects.get().state == "failed"
    assert (held(shop, Account.CUSTOMER_BALANCE), held(shop, Account.STRIPE_CLEARING)) == (-135_00, 135_00)
    assert len(shop.told("refund_returned")) == 1
    assert StaffAlert.objects.get().kind == "refund_failed"
    assert queries.books_differences() == []
    assert queries.refundable_notes(shop.staff, note.invoice_id) == {note.id: Money(135_00, "USD")}


@pytest.mark.parametrize(("question", "lost"), [("fetch_refund", 0), ("find_refund", 3)])
def test_an_answer_older_than_what_was_applied_is_asked_for_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, question: str, lost: int
) -> None:
    """A message's or the sweeper's: while they hold "it was made", the bank sends it back and we hear so."""
    note = credit(shop, paid(shop, "pm_card_refundFail"))
    if lost:
        shop.sandbox.fault("reset_after", path="/v1/refunds$", method="POST", times=lost)
    refund(shop, note)
    assert Refund.objects.get().state == ("prepared" if lost else "succeeded")
    (there,) = at_stripe(shop)
    plain = getattr(type(gateway.gateway()), question)
    old: list[Any] = []

    def overtaken(self: Any, **asked: Any) -> Any:
        view = plain(self, **asked)
        if not old:
            old.append(view.status)
            shop.sandbox.advance(3600)
            _events._refund_moved(there.id, NOW)
        return view

    monkeypatch.setattr(type(gateway.gateway()), question, overtaken)
    if lost:
        assert operations.sweep_refunds(now=NOW + timedelta(minutes=20)) == []
    else:
        _events._refund_moved(there.id, NOW)
    assert old == [gateway.RefundStatus.SUCCEEDED]
    assert Refund.objects.get().state == "failed"
    assert held(shop, Account.CUSTOMER_BALANCE) == -135_00
    assert queries.books_differences() == []


def test_what_stripe_refuses_stays_in_the_balance(shop: Shop) -> None:
    invoice = paid(shop)
    note = credit(shop, invoice)
    shop.stripe.v1.refunds.create({"charge": str(shop.attempt(invoice).charge), "amount": 100_00})
    done = refund(shop, note)
    assert (done.state, done.made) == ("failed", False)
    assert "greater than unrefunded" in done.staff_problem
    assert queries.refunds_of(shop.admin, invoice.id)[0].staff_problem == ""
    assert held(shop, Account.CUSTOMER_BALANCE) == -135_00
    assert shop.told("refund_made") == shop.told("refund_returned") == []
    assert queries.books_differences() == []


@pytest.mark.parametrize(
    "fault", ["reset_before", "reset_after", "reset_mid_body", "500_after", "503", "429"]
)
def test_without_an_answer_it_is_asked_for_later(shop: Shop, fault: str) -> None:
    note = credit(shop, paid(shop))
    shop.sandbox.fault(fault, path="/v1/refunds$", method="POST", times=3)
    done = refund(shop, note)
    assert done.state == "prepared"
    with pytest.raises(operations.PaymentInProgress, match="under way"):
        refund(shop, note)
    shop.sandbox.clear_faults()
    shop.sandbox.advance(25 * 3600)
    for hours in (25, 26):
        assert operations.sweep_refunds(now=NOW + timedelta(hours=hours)) == []
    assert Refund.objects.get().state == "succeeded"
    assert [there.amount for there in at_stripe(shop)] == [135_00]
    assert len(shop.told("refund_made")) == 1
    assert queries.books_differences() == []


def test_a_silent_stripe_does_not_hold_up_the_minute(shop: Shop) -> None:
    """Three refunds are asked about without an answer; the fourth waits for the next minute."""
    invoices = [paid(shop, month=month) for month in (1, 2, 3, 4)]
    notes = [credit(shop, invoice) for invoice in invoices]
    shop.sandbox.fault("503", path="/v1/refunds", times=1000)
    for note in notes:
        assert refund(shop, note).state == "prepared"
    later = NOW + timedelta(minutes=20)
    assert operations.sweep_refunds(now=later) == []
    assert Refund.objects.filter(lease_until__gt=later).count() == 3
    shop.sandbox.clear_faults()
    assert operations.sweep_refunds(now=later + timedelta(minutes=5)) == []
    assert Refund.objects.filter(state="succeeded").count() == 4


def test_a_question_that_stripe_refuses_leaves_a_refund_on_its_way(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made, its answer was lost, and asking says 404 (another account's key): not given back twice."""
    note = credit(shop, paid(shop))
    shop.sandbox.fault("reset_after", path="/v1/refunds$", method="POST", times=3)
    assert refund(shop, note).state == "prepared"

    def missing(self: Any, **asked: Any) -> Any:
        raise gateway.OurMistake("No such payment_intent (resource_missing)")

    kind = type(gateway.gateway())
    with monkeypatch.context() as patched:
        patched.setattr(kind, "find_refund", missing)
        for minutes in (20, 40):
            operations.sweep_refunds(now=NOW + timedelta(minutes=minutes))
        kept = Refund.objects.get()
        assert kept.state == "prepared", "it may have been made, so its money is not free"
        assert "could not be asked" in kept.problem
        assert held(shop, Account.CUSTOMER_BALANCE) == 0
        (alert,) = StaffAlert.objects.all()
        assert (alert.kind, alert.times) == ("our_mistake", 2)
    assert operations.sweep_refunds(now=NOW + timedelta(hours=1)) == []
    assert Refund.objects.get().state == "succeeded"
    assert [there.amount for there in at_stripe(shop)] == [135_00]
    alert.refresh_from_db()
    assert alert.settled_at == NOW + timedelta(hours=1)
    assert queries.books_differences() == []


def test_an_invoice_is_left_alone_while_it_is_being_paid(shop: Shop) -> None:
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    operations.collect_due(now=NOW)
    assert shop.attempt(invoice).state == "action_required"
    with pytest.raises(BeingPaid, match="waits for the cardholder"):
        credit(shop, invoice, 5_00)
    PaymentAttempt.objects.update(state="processing")
    with pytest.raises(BeingPaid, match="we wait for the bank's answer"):
        void_invoice(invoice_id=invoice.id, reason="-", actor_id=shop.staff.user_id, now=NOW)
    assert CreditNote.objects.count() == 0


def test_after_a_credit_the_same_payment_is_made_with_the_new_amount(shop: Shop) -> None:
    shop.add_card(DECLINES, default=True)
    invoice = shop.bill()
    operations.collect_due(now=NOW)
    credit(shop, invoice, 35_00)
    shop.add_card(VISA, default=True)
    assert operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=NOW).paid
    assert [charge.amount for charge in shop.charges(paid=True)] == [100_00]
    assert len(shop.stripe.v1.payment_intents.list({}).data) == 1
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor, invoice.credited_minor) == ("paid", 100_00, 35_00)
    assert "35.00" in queries.what_happens_next(invoice.id)
    assert queries.books_differences() == []


def test_a_charge_that_is_disputed_before_we_know_is_nobodys_mistake(shop: Shop) -> None:
    invoice = paid(shop)
    note = credit(shop, invoice, 35_00)
    charge = PaymentAttempt.objects.get(invoice=invoice).charge
    shop.sandbox.control("POST", "/disputes", {"charge": charge})
    StaffAlert.objects.create(key="gateway-key", kind="gateway_key", message="-", first_at=NOW, last_at=NOW)
    done = refund(shop, note)
    assert (done.made, at_stripe(shop)) == (False, [])
    assert Refund.objects.get().state == "failed"
    assert held(shop, Account.CUSTOMER_BALANCE) == -35_00
    open_matters = StaffAlert.objects.filter(settled_at=None)
    assert list(open_matters.values_list("kind", flat=True)) == ["refund_failed"], "the key was answered"


@pytest.fixture
def failed_here(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> tuple[CreditNote, str]:
    """A refund that Stripe made and that failed here: its answer was lost, and the next one was wrong."""
    note = credit(shop, paid(shop), 35_00)
    shop.sandbox.fault("reset_after", path="/v1/refunds$", method="POST", times=3)
    assert refund(shop, note).state == "prepared"

    def refused(self: Any, **asked: Any) -> Any:
        raise gateway.OurMistake("Charge already refunded")

    kind = type(gateway.gateway())
    with monkeypatch.context() as patched:
        patched.setattr(kind, "find_refund", lambda self, **asked: None)
        patched.setattr(kind, "refund", refused)
        operations.sweep_refunds(now=NOW + timedelta(minutes=20))
    assert Refund.objects.get().state == "failed"
    assert held(shop, Account.CUSTOMER_BALANCE) == -35_00
    (there,) = at_stripe(shop)
    return note, str(there.id)


def test_one_that_failed_here_and_was_made_there_is_booked_again(
    shop: Shop, failed_here: tuple[CreditNote, str]
) -> None:
    note, made = failed_here
    for _ in range(2):
        _events._refund_moved(made, NOW + timedelta(hours=1))
    assert (Refund.objects.get().state, Refund.objects.get().reference) == ("succeeded", made)
    assert (held(shop, Account.CUSTOMER_BALANCE), held(shop, Account.REFUNDS_PAYABLE)) == (0, 0)
    assert held(shop, Account.STRIPE_CLEARING) == 100_00
    assert len(shop.told("refund_made")) == 1
    assert not StaffAlert.objects.filter(kind__startswith="refund", settled_at=None).exists()
    assert queries.refundable_notes(shop.staff, note.invoice_id) == {}
    assert queries.books_differences() == []


def test_what_comes_back_after_that_is_balance_again(shop: Shop, failed_here: tuple[CreditNote, str]) -> None:
    """Made, sent back, made after all: every posting has a key of its own."""
    _, made = failed_here
    view = gateway.gateway().fetch_refund(reference=made)
    back = replace(view, status=gateway.RefundStatus.FAILED, problem="Sent back")
    for step, seen in enumerate((view, back, view, back), start=1):
        for _ in range(2):
            now_here = Refund.objects.get()
            _refunding.apply_refund(refund_id=now_here.id, view=seen, known=now_here.state, now=NOW)
        assert queries.books_differences() == [], step
        in_balance = -35_00 if seen is back else 0
        assert held(shop, Account.CUSTOMER_BALANCE) == in_balance, step
        assert held(shop, Account.STRIPE_CLEARING) == 100_00 - in_balance, step
    assert (len(shop.told("refund_made")), len(shop.told("refund_returned"))) == (2, 2)


def test_one_that_was_made_after_its_credit_was_used_is_for_staff(
    shop: Shop, failed_here: tuple[CreditNote, str]
) -> None:
    note, made = failed_here
    second = shop.bill(10, month=2)
    assert second.balance_applied_minor == 13_50
    later = NOW + timedelta(hours=1)
    for _ in range(2):
        _events._refund_moved(made, later)
    assert Refund.objects.get().state == "failed"
    assert shop.told("refund_made") == []
    assert queries.books_differences() == []
    alert = StaffAlert.objects.get(kind="refund_late")
    for words in ("$35.00 for credit note CIC-CN-000001", "$21.50 of it", "Credit lines of"):
        assert words in alert.message
    credit(shop, Invoice.objects.get(id=note.invoice_id), 13_50)
    _events._refund_moved(made, later)
    assert Refund.objects.get().state == "succeeded"
    assert held(shop, Account.CUSTOMER_BALANCE) == 0
    assert not StaffAlert.objects.filter(kind__startswith="refund", settled_at=None).exists()
    assert queries.books_differences() == []
