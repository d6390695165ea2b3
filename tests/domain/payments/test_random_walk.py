"""Cards, transfers, holds, credit, refunds, disputes and stops in any order: the books always agree."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.operations import place_hold
from callbill.domain.invoicing.models import CreditNote, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import BeingPaid, CreditRefused, CreditUsed, credit_lines
from callbill.domain.ledger.models import Account, Posting
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import _receipt_document, operations, queries
from callbill.domain.payments.models import (
    LIVE_STATES,
    BankPayment,
    Chargeback,
    CollectionPlan,
    CollectionStop,
    PaymentAttempt,
    Receipt,
)
from callbill.rules.lifecycle import MoveRefused
from callbill.rules.money import Money
from tests.domain.payments.shop import ISSUED, Shop

_NO = (
    *(operations.PaymentRefused, operations.HoldRefused, CreditRefused, BeingPaid, MoveRefused),
    *(operations.CannotRecord, CreditUsed, operations.GatewayError),
)


class Walk:
    """One invoice, one card, and whatever can happen to them."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop, self.chance = shop, random.Random(seed)
        self.now: datetime = ISSUED
        self.by = shop.staff.user_id
        self.card = shop.add_card()
        self.invoice: Invoice = shop.bill()
        if seed % 2:  # one automatic attempt is left
            CollectionPlan.objects.create(
                invoice=self.invoice, automatic_attempts=7, next_attempt_at=self.now
            )
        self.deeds: list[Callable[[], object]] = [
            *(self.collect, self.collect, self.retry, self.decline, self.bank, self.hold),
            *(self.break_off, self.break_off, self.bounce),
            *(self.lift, self.credit, self.refund, self.dispute, self.decide, self.stop, self.lift_stop),
        ]

    def some(self) -> int:
        return self.chance.choice((20, 5_00, 40_00, 150_00))

    def collect(self) -> None:
        assert operations.collect_due(now=self.now).problems == []

    def retry(self) -> None:
        operations.retry_now(invoice_id=self.invoice.id, actor_id=self.by, reason="-", now=self.now)

    def decline(self) -> None:
        self.shop.sandbox.decline_next(self.card.reference)
        self.collect()

    def break_off(self) -> None:
        self.shop.sandbox.fault(
            self.chance.choice(("reset_before", "reset_after")), path="/confirm$", method="POST", times=3
        )
        self.collect()
        self.shop.sandbox.clear_faults()
        if self.chance.random() < 0.5:
            self.stop()

    def bank(self) -> None:
        operations.record_bank_payment(
            invoice_id=self.invoice.id,
            method="bank_transfer",
            amount=Money(self.some(), "USD"),
            reference=f"T{BankPayment.objects.count()}",
            received_on=self.now.date() - timedelta(days=1),
            reason="-",
            actor_id=self.by,
            now=self.now,
        )

    def bounce(self) -> None:
        payment = BankPayment.objects.filter(returned_at=None).first()
        if payment is not None:
            operations.return_bank_payment(
                payment_id=payment.id,
                reason="-",
                returned_on=payment.received_on,
                actor_id=self.by,
                now=self.now,
            )

    def hold(self) -> None:
        place_hold(
            invoice_id=self.invoice.id,
            kind="question",
            cause=str(Hold.objects.count()),
            amount=self.chance.choice((None, Money(self.some(), "USD"))),
            reason="-",
            actor_id=self.by,
            now=self.now,
        )

    def lift(self) -> None:
        for hold in Hold.objects.filter(lifted_at=None):
            operations.lift_hold(hold_id=hold.id, actor_id=self.by, reason="-", now=self.now)

    def credit(self) -> None:
        line = InvoiceLine.objects.get(section__invoice=self.invoice)
        credit_lines(
            invoice_id=self.invoice.id,
            amounts={line.id: self.chance.choice((20, 5_00, 30_00))},
            reason="-",
            actor_id=self.by,
            now=self.now,
        )

    def refund(self) -> None:
        note = CreditNote.objects.order_by("-issued_at", "-id").first()
        if note is not None:
            operations.refund_to_card(note_id=note.id, actor_id=self.by, reason="-", now=self.now)

    def dispute(self) -> None:
        paid = PaymentAttempt.objects.filter(state="succeeded", chargebacks=None, refunds=None).first()
        if paid is not None:
            self.shop.sandbox.dispute(str(paid.charge))

    def decide(self) -> None:
        row = Chargeback.objects.filter(state="open").first()
        if row is not None:
            self.shop.sandbox.close_dispute(row.reference, self.chance.choice(("won", "lost")))

    def stop(self) -> None:
        key = str(CollectionStop.objects.count())
        operations.stop_collection(payer_id=self.shop.payer.id, key=key, reason="-", now=self.now)

    def lift_stop(self) -> None:
        for stop in CollectionStop.objects.filter(lifted_at=None):
            operations.lift_collection_stop(stop_id=stop.id, actor_id=self.by, reason="-", now=self.now)

    def step(self) -> str:
        """Something happens, or is refused; then the worker may look after what was left."""
        deed = self.chance.choice(self.deeds)
        self.now += timedelta(hours=1)
        taken = self.taken()
        untouchable = self.untouchable()
        try:
            deed()
        except _NO as refused:
            return f"{deed.__name__}: {refused}"
        if untouchable and deed.__name__ in ("collect", "retry", "decline", "break_off"):
            assert self.taken() == taken, f"{deed.__name__} charged what may not be charged"
        if self.chance.random() < 0.6:
            taken, untouchable = self.taken(), self.untouchable()
            operations.sweep_attempts(now=self.now + timedelta(minutes=30))
            assert not untouchable or self.taken() == taken, f"the sweeper charged after {deed.__name__}"
        operations.sweep_refunds(now=self.now + timedelta(minutes=30))
        assert operations.ask_about_chargebacks(now=self.now) == []
        return deed.__name__

    def taken(self) -> int:
        return sum(charge.amount for charge in self.shop.charges(paid=True))

    def untouchable(self) -> bool:
        self.invoice.refresh_from_db()
        stopped = CollectionStop.objects.filter(lifted_at=None).exists()
        all_held = Hold.objects.filter(lifted_at=None, kind="question", amount_minor=None).exists()
        return stopped or all_held or self.invoice.due_minor == 0

    def check(self) -> None:
        """What must hold whatever happened."""
        self.invoice.refresh_from_db()
        assert self.invoice.due_minor >= 0
        assert not CollectionPlan.objects.filter(automatic_attempts__gt=8).exists()
        assert queries.books_differences() == []
        assert sum(Posting.objects.values_list("amount_minor", flat=True)) == 0
        kept = PaymentAttempt.objects.filter(state="succeeded").values_list("amount_minor", flat=True)
        in_doubt = PaymentAttempt.objects.filter(state__in=LIVE_STATES).exists()
        assert self.taken() == sum(kept) or in_doubt
        banked = [
            (payment.amount_minor, payment.surplus_minor)
            for payment in BankPayment.objects.filter(returned_at=None)
        ]
        assert balance(self.shop.payer.id, Account.BANK, "USD").minor == sum(came for came, _ in banked)
        assert self.invoice.paid_minor == sum(kept) + sum(came - surplus for came, surplus in banked)
        if self.invoice.status in ("open", "past_due"):
            assert self.invoice.due_minor > 0
        receipt = Receipt.objects.filter(invoice=self.invoice, taken_back_at=None).first()
        if receipt:
            assert self.invoice.status == "paid"
            assert receipt.amount_minor == self.invoice.paid_minor - self.invoice.charged_back_minor
            named = _receipt_document._payments(receipt)
            assert sum(payment.amount.minor for payment in named) == receipt.amount_minor
        numbers = Receipt.objects.order_by("number").values_list("number", flat=True)
        assert list(numbers) == [f"CIC-R-{n + 1:06d}" for n in range(len(numbers))]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_whatever_happens_in_whatever_order_the_books_agree(shop: Shop, seed: int) -> None:
    walk, story = Walk(shop, seed), list[str]()
    for _ in range(25):
        story.append(walk.step())
        try:
            walk.check()
        except AssertionError as error:
            raise AssertionError("\n".join(story)) from error
