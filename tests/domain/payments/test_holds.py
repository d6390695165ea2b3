"""What is held is not charged and not reminded of; the rest is (M30)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from callbill.domain.customers.queries import NotFound
from callbill.domain.disputes import queries as disputes
from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.operations import BeingPaid, HoldRefused, place_hold
from callbill.domain.invoicing.models import Invoice, InvoiceLine
from callbill.domain.invoicing.operations import add_adjustment, credit_lines, write_off
from callbill.domain.payments import operations, queries
from callbill.domain.payments._attempt import drive
from callbill.domain.payments._preparing import prepare
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt, PaymentIntent, Receipt
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import ALWAYS_3DS, DECLINES, Shop

NOW = world.at("2026-02-02T15:00")
LATER = world.at("2026-02-10T15:00")
LONG_PAST_DUE = world.at("2026-02-25T15:00")
WHY = "You asked about the calls of 12 January"


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def of_100(shop: Shop) -> Invoice:
    """An invoice over 100.00."""
    add_adjustment(
        company_id=shop.company.id,
        kind="promotion",
        name="Welcome",
        amount=usd(-35_00),
        reason="New customer",
        actor_id=shop.staff.user_id,
        now=world.at("2026-01-20T09:00"),
    )
    invoice = shop.bill()
    assert invoice.total_minor == 100_00
    return invoice


def hold(shop: Shop, invoice: Invoice, minor: int | None, cause: str = "1", reason: str = WHY) -> Hold:
    return place_hold(
        invoice_id=invoice.id,
        kind="question",
        cause=cause,
        amount=None if minor is None else usd(minor),
        reason=reason,
        actor_id=shop.staff.user_id,
        now=NOW,
    )


def lift(shop: Shop, hold_id: UUID, reason: str = "The calls were right") -> None:
    operations.lift_hold(hold_id=hold_id, actor_id=shop.staff.user_id, reason=reason, now=LATER)


def collected(shop: Shop, invoice: Invoice, when: object = NOW) -> list[int]:
    """Let a run happen; what was charged at Stripe so far, oldest first."""
    assert operations.collect_due(now=when).problems == []  # type: ignore[arg-type]
    invoice.refresh_from_db()
    return [charge.amount for charge in reversed(shop.charges(paid=True))]


def next_step(invoice: Invoice) -> str:
    return queries.what_happens_next(invoice.id)


def test_the_rest_is_charged_and_what_was_held_when_it_is_lifted(shop: Shop) -> None:
    invoice = of_100(shop)
    shop.add_card(default=True)
    placed = hold(shop, invoice, 30_00)
    assert "$30.00 of this invoice has been on hold since 2 February 2026: You asked about" in next_step(
        invoice
    )
    assert "The other $70.00: Your Visa •••• 4242 will be charged within a few hours." in next_step(invoice)
    assert collected(shop, invoice) == [70_00]
    assert (invoice.status, invoice.due_minor, invoice.paid_minor) == ("open", 30_00, 70_00)
    (first,) = shop.told("payment_received")
    assert "We charged $70.00 to your Visa" in first.body_text
    assert (
        "$30.00 of the invoice is still to be paid. $30.00 of this invoice has been on hold"
        in first.body_text
    )
    assert first.attachment == ""
    assert Receipt.objects.count() == 0
    assert next_step(invoice).startswith("$30.00 of this invoice has been on hold")
    assert not queries.can_pay_now(invoice.id)

    assert collected(shop, invoice, LONG_PAST_DUE) == [70_00], "held is held"
    assert invoice.status == "open", "what is held does not fall past due by date"
    assert shop.told("past_due") == shop.told("payment_failed") == []

    lift(shop, placed.id)
    assert "will be charged on 10 February 2026" in next_step(invoice)
    assert collected(shop, invoice, LATER) == [70_00, 30_00]
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    assert list(PaymentIntent.objects.order_by("generation").values_list("generation", "amount_minor")) == [
        (1, 70_00),
        (2, 30_00),
    ]
    receipt = Receipt.objects.get()
    assert (receipt.invoice_id, receipt.amount_minor) == (invoice.id, 100_00)
    assert b"%PDF-" in operations.receipt_pdf(viewer=shop.admin, number=receipt.number, now=LATER)
    _, second = shop.told("payment_received")
    assert "We charged $30.00 to your Visa" in second.body_text
    assert "still to be paid" not in second.body_text
    assert second.attachment == f"receipt:{receipt.id}"
    assert collected(shop, invoice, LONG_PAST_DUE) == [70_00, 30_00]
    assert queries.books_differences() == []


def test_with_all_of_it_held_nothing_happens_by_itself(shop: Shop) -> None:
    invoice = of_100(shop)
    placed = hold(shop, invoice, None)
    assert collected(shop, invoice) == []
    assert CollectionPlan.objects.get().stopped_because == "on_hold"
    assert shop.told("card_missing") == []
    shop.add_card(default=True)
    assert collected(shop, invoice, LONG_PAST_DUE) == []
    assert invoice.status == "open"
    assert next_step(invoice) == (
        "All that is owed on this invoice has been on hold since 2 February 2026: You asked about the calls "
        "of 12 January. It is not charged meanwhile. When that is settled, it is charged as usual or "
        "credited."
    )
    with pytest.raises(operations.OnHold, match=r"The \$100.00 due on invoice .* is on hold"):
        operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    lift(shop, placed.id)
    assert collected(shop, invoice, LATER) == [100_00]
    assert invoice.status == "paid"


def test_an_invoice_without_a_card_does_not_fall_past_due_while_it_is_held(shop: Shop) -> None:
    invoice = of_100(shop)
    assert collected(shop, invoice) == []
    assert CollectionPlan.objects.get().stopped_because == "no_card"
    placed = hold(shop, invoice, None)
    assert collected(shop, invoice, LONG_PAST_DUE) == []
    assert invoice.status == "open"
    lift(shop, placed.id)
    collected(shop, invoice, LONG_PAST_DUE)
    assert invoice.status == "past_due"
    (told,) = shop.told("past_due")
    assert "Still to be paid: $100.00" in told.body_text


def test_a_decline_of_the_rest_says_what_was_tried_and_what_is_held(shop: Shop) -> None:
    invoice = of_100(shop)
    shop.add_card(DECLINES, default=True)
    hold(shop, invoice, 30_00)
    assert collected(shop, invoice) == []
    assert invoice.status == "past_due"
    (told,) = shop.told("payment_failed")
    assert "We tried to charge $70.00" in told.body_text
    assert "Still to be paid: $100.00" in told.body_text
    assert "On hold: $30.00" in told.body_text


def test_several_holds_never_hold_more_than_is_due(shop: Shop) -> None:
    invoice = of_100(shop)
    hold(shop, invoice, 60_00, "a")
    hold(shop, invoice, 40_00, "b")
    assert disputes.held(invoice) == usd(100_00)
    credit_lines(
        invoice_id=invoice.id,
        amounts={line.id: 50_00 for line in _lines(invoice)},
        reason="-",
        actor_id=shop.staff.user_id,
        now=NOW,
    )
    invoice.refresh_from_db()
    assert (invoice.due_minor, disputes.held(invoice)) == (50_00, usd(50_00))


def _lines(invoice: Invoice) -> list[InvoiceLine]:
    return list(InvoiceLine.objects.filter(section__invoice=invoice, kind="usage"))


def test_a_hold_is_placed_and_lifted_once(shop: Shop) -> None:
    invoice = of_100(shop)
    placed = hold(shop, invoice, 30_00)
    assert hold(shop, invoice, 30_00).id == placed.id
    lift(shop, placed.id)
    lift(shop, placed.id, "again")
    placed.refresh_from_db()
    assert (placed.lifted_because, placed.lifted_by_id) == ("The calls were right", shop.staff.user_id)
    deeds = StaffAction.objects.filter(subject_id=str(invoice.id)).order_by("at")
    assert [(deed.action, deed.reason) for deed in deeds] == [
        ("place_hold", WHY),
        ("lift_hold", "The calls were right"),
    ]
    assert deeds[0].details == {"kind": "question", "amount": "30.00 USD"}
    assert hold(shop, invoice, 30_00).id != placed.id, "the same question may come up again"


@pytest.mark.parametrize(
    ("minor", "words"),
    [
        (0, "above zero"),
        (-5_00, "above zero"),
        (100_01, r"\$100.01 is more than the \$100.00 of invoice"),
    ],
)
def test_an_amount_that_cannot_be_held(shop: Shop, minor: int, words: str) -> None:
    with pytest.raises(HoldRefused, match=words):
        hold(shop, of_100(shop), minor)
    assert Hold.objects.count() == StaffAction.objects.filter(action="place_hold").count() == 0


def test_only_what_is_due_and_not_held_can_be_held(shop: Shop) -> None:
    invoice = of_100(shop)
    hold(shop, invoice, 80_00, "a")
    with pytest.raises(HoldRefused, match=r"\$30.00 is more than the \$20.00 of invoice"):
        hold(shop, invoice, 30_00, "b")
    hold(shop, invoice, None, "c")
    with pytest.raises(HoldRefused, match="on hold already"):
        hold(shop, invoice, None, "d")
    with pytest.raises(HoldRefused, match="not in EUR"):
        place_hold(
            invoice_id=of_second_month(shop).id,
            kind="staff",
            cause="e",
            amount=Money(1, "EUR"),
            reason="-",
            actor_id=shop.staff.user_id,
            now=NOW,
        )
    with pytest.raises(ReasonMissing):
        hold(shop, of_second_month(shop), None, "f", "  ")
    assert Hold.objects.count() == 2


def of_second_month(shop: Shop) -> Invoice:
    return Invoice.objects.filter(first_day__month=2).first() or shop.bill(month=2)


def test_a_settled_invoice_has_nothing_to_hold(shop: Shop) -> None:
    shop.add_card(default=True)
    invoice = of_100(shop)
    collected(shop, invoice)
    with pytest.raises(HoldRefused, match=r"is paid; there is nothing to hold\. To give something back"):
        hold(shop, invoice, None)
    with pytest.raises(NotFound):
        place_hold(
            invoice_id=shop.company.id,
            kind="staff",
            cause="x",
            amount=None,
            reason="-",
            actor_id=shop.staff.user_id,
            now=NOW,
        )
    with pytest.raises(NotFound):
        lift(shop, shop.company.id)


def test_while_a_card_is_being_charged_nothing_is_held(shop: Shop) -> None:
    invoice = of_100(shop)
    shop.add_card(ALWAYS_3DS, default=True)
    assert collected(shop, invoice) == []
    assert shop.attempt(invoice).state == "action_required"
    with pytest.raises(BeingPaid, match="waits for the cardholder"):
        hold(shop, invoice, 30_00)
    assert Hold.objects.count() == 0


def test_what_is_held_just_before_the_card_is_charged_is_not_charged(shop: Shop) -> None:
    invoice = of_100(shop)
    shop.add_card(default=True)
    attempt = prepare(invoice_id=invoice.id, trigger="issue", now=NOW)
    place_hold(
        invoice_id=invoice.id,
        kind="fraud_warning",
        cause="issfr_1",
        amount=None,
        reason="-",
        actor_id=None,
        now=NOW,
    )
    drive(attempt_id=attempt.id, now=NOW)
    attempt.refresh_from_db()
    assert (attempt.state, shop.charges()) == ("canceled", [])
    assert collected(shop, invoice, NOW + timedelta(hours=1)) == []
    assert CollectionPlan.objects.get().stopped_because == "on_hold"
    assert PaymentAttempt.objects.count() == 1


def test_a_retry_that_was_planned_keeps_its_day_when_the_hold_is_lifted_before(shop: Shop) -> None:
    invoice = of_100(shop)
    shop.add_card(DECLINES, default=True)
    collected(shop, invoice)
    planned = CollectionPlan.objects.get().next_attempt_at
    assert planned is not None
    assert planned > LATER
    placed = hold(shop, invoice, None)
    lift(shop, placed.id)
    assert CollectionPlan.objects.get().next_attempt_at == planned


def test_a_rest_too_small_for_a_card_is_charged_with_what_was_held(shop: Shop) -> None:
    invoice = of_100(shop)
    shop.add_card(default=True)
    placed = hold(shop, invoice, 99_80)
    assert collected(shop, invoice) == []
    assert CollectionPlan.objects.get().stopped_because == "too_small"
    lift(shop, placed.id)
    assert collected(shop, invoice, LATER) == [100_00]
    assert invoice.status == "paid"


def test_who_sees_a_hold(shop: Shop) -> None:
    invoice = of_100(shop)
    placed = hold(shop, invoice, 30_00)
    gone = hold(shop, invoice, 20_00, "b")
    lift(shop, gone.id)
    (seen,) = disputes.holds_of(shop.admin, invoice.id)
    assert (seen.amount, seen.reason, seen.placed_by, seen.is_open) == (usd(30_00), WHY, "", True)
    assert [view.is_open for view in disputes.holds_of(shop.staff, invoice.id)] == [True, False]
    assert disputes.hold_for(shop.staff, placed.id).placed_by == "sam"
    with pytest.raises(NotFound):
        disputes.hold_for(shop.admin, placed.id)
    stranger = world.viewer("eve@other.example", company=world.company("other", "Other"), administrator=True)
    assert disputes.holds_of(stranger, invoice.id) == []
    assert [view.id for view in disputes.open_holds(shop.staff)] == [placed.id]
    assert disputes.open_holds(shop.admin) == []
    write_off(invoice_id=invoice.id, reason="-", actor_id=shop.staff.user_id, now=LATER)
    assert disputes.open_holds(shop.staff) == [], "it holds nothing any more"
