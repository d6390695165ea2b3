"""The ledger posts every money fact once: a walk through all of them, checked with a pocket calculator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from callbill.domain.invoicing.models import CreditNote, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import (
    AlreadyReturned,
    Overpaid,
    credit_lines,
    record_payment,
    write_off,
)
from callbill.domain.ledger.models import Entry, Posting
from callbill.domain.ledger.queries import trial_balance
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import BankPayment, PaymentAttempt
from callbill.rules.lifecycle import MoveRefused
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.test_refunds import refund
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter
from tests.web.console.conftest import CONTRACT

DAY = timedelta(days=1)
Sides = set[tuple[str, str, int]]


@dataclass
class Walk:
    """Acme, who pays 1.35 a call and 49.00 a month, both with 8.875 % sales tax."""

    shop: Counter
    seen: set[Any] = field(default_factory=set)

    def new(self) -> list[tuple[str, str, int]]:
        """What was posted since the last look: (kind of entry, account, minor units)."""
        rows = Posting.objects.exclude(id__in=self.seen).select_related("entry")
        found = [(row.entry.kind, row.account, row.amount_minor) for row in rows]
        self.seen |= {row.id for row in rows}
        return found

    @property
    def first(self) -> Invoice:
        return Invoice.objects.filter(payer=self.shop.payer).order_by("first_day")[0]

    @property
    def second(self) -> Invoice:
        return Invoice.objects.filter(payer=self.shop.payer).order_by("first_day")[1]


def issue_first(walk: Walk) -> None:
    walk.shop.bill(60)


def charge_card(walk: Walk) -> None:
    payments.collect_due(now=PAID_AT)


def tell_fee(walk: Walk) -> None:
    """Twice, and every earlier one with it."""
    walk.shop.sandbox.advance(60)
    walk.shop.sandbox.wait_until_idle()
    for attempt in PaymentAttempt.objects.filter(state="succeeded"):
        for _ in range(2):
            payments.look_at(kind="charge.succeeded", reference=str(attempt.charge), now=NIGHT)


def credit_the_desk(walk: Walk) -> None:
    line = InvoiceLine.objects.get(section__invoice=walk.first, kind="fee")
    credit_lines(
        invoice_id=walk.first.id,
        amounts={line.id: None},
        reason="-",
        actor_id=walk.shop.staff.user_id,
        now=NIGHT,
    )


def refund_it(walk: Walk) -> None:
    refund(walk.shop, CreditNote.objects.get())
    payments.sweep_refunds(now=NIGHT + DAY)


def issue_second(walk: Walk) -> None:
    walk.shop.bill(10, month=2)


def dispute_it(walk: Walk) -> None:
    walk.shop.sandbox.dispute(walk.shop.charge_of(walk.second))
    follow_dispute(walk)


def follow_dispute(walk: Walk) -> None:
    (dispute,) = walk.shop.stripe.v1.disputes.list().data
    for _ in range(2):
        payments.look_at(kind="charge.dispute.funds_withdrawn", reference=dispute.id, now=NIGHT)


def lose_it(walk: Walk) -> None:
    (dispute,) = walk.shop.stripe.v1.disputes.list().data
    walk.shop.sandbox.close_dispute(dispute.id, "lost")
    follow_dispute(walk)


def a_cheque_comes(walk: Walk) -> None:
    payments.record_bank_payment(
        invoice_id=walk.second.id,
        method="cheque",
        amount=Money(70_00, "USD"),
        reference="77",
        received_on=PAID_AT.date(),
        reason="-",
        actor_id=walk.shop.staff.user_id,
        now=NIGHT,
    )


def it_bounces(walk: Walk) -> None:
    """And a second click."""
    cheque = BankPayment.objects.get()
    for refused in (nullcontext(), pytest.raises(AlreadyReturned)):
        with refused:
            payments.return_bank_payment(
                payment_id=cheque.id,
                reason="-",
                returned_on=cheque.received_on,
                actor_id=walk.shop.staff.user_id,
                now=NIGHT + DAY,
            )


def give_it_up(walk: Walk) -> None:
    write_off(invoice_id=walk.second.id, reason="-", actor_id=walk.shop.staff.user_id, now=NIGHT)


def pay_out(walk: Walk) -> None:
    walk.shop.at(NIGHT + 5 * DAY)
    walk.shop.sandbox.close_payout(fail=True)
    (payout,) = walk.shop.stripe.v1.payouts.list().data
    for kind in ("payout.created", "payout.paid"):
        payments.look_at(kind=kind, reference=payout.id, now=NIGHT + 5 * DAY)


def payout_fails(walk: Walk) -> None:
    walk.shop.at(NIGHT + 9 * DAY)
    (payout,) = walk.shop.stripe.v1.payouts.list().data
    for _ in range(2):
        payments.look_at(kind="payout.failed", reference=payout.id, now=NIGHT + 9 * DAY)


# 60 × 1.35 + 49.00 = 130.00; 8.875 % of it is 11.5375. The fee is 2.9 % of 141.54 and 0.30.
# 8.875 % of 49.00 is 4.34875. 10 × 1.35 + 49.00 = 62.50 with 5.546875 tax; its fee 1.97345 and 0.30.
FACTS: list[tuple[str, Callable[[Walk], None], Sides]] = [
    (
        "invoice and tax",
        issue_first,
        {
            ("invoice", "receivable", 141_54),
            ("invoice", "revenue", -130_00),
            ("invoice", "tax_payable", -11_54),
        },
    ),
    (
        "payment",
        charge_card,
        {("payment", "stripe_clearing", 141_54), ("payment", "receivable", -141_54)},
    ),
    ("Stripe's fee", tell_fee, {("fee", "stripe_fees", 4_40), ("fee", "stripe_clearing", -4_40)}),
    (
        "credit",
        credit_the_desk,
        {
            ("credit_note", "revenue", 49_00),
            ("credit_note", "tax_payable", 4_35),
            ("credit_note", "customer_balance", -53_35),
        },
    ),
    (
        "refund",
        refund_it,
        {
            ("refund", "customer_balance", 53_35),
            ("refund", "refunds_payable", -53_35),
            ("refund_made", "refunds_payable", 53_35),
            ("refund_made", "stripe_clearing", -53_35),
        },
    ),
    (
        "the next invoice",
        issue_second,
        {("invoice", "receivable", 68_05), ("invoice", "revenue", -62_50), ("invoice", "tax_payable", -5_55)},
    ),
    (
        "its payment",
        charge_card,
        {("payment", "stripe_clearing", 68_05), ("payment", "receivable", -68_05)},
    ),
    ("its fee", tell_fee, {("fee", "stripe_fees", 2_27), ("fee", "stripe_clearing", -2_27)}),
    (
        "a dispute, and its fee",
        dispute_it,
        {
            ("chargeback_withdrawn", "chargebacks", 68_05),
            ("chargeback_withdrawn", "stripe_clearing", -68_05),
            ("fee", "stripe_fees", 15_00),
            ("fee", "stripe_clearing", -15_00),
        },
    ),
    (
        "the dispute lost",
        lose_it,
        {("charged_back", "receivable", 68_05), ("charged_back", "chargebacks", -68_05)},
    ),
    (
        "a cheque over 70.00",
        a_cheque_comes,
        {
            ("payment", "bank", 68_05),
            ("payment", "receivable", -68_05),
            ("surplus", "bank", 1_95),
            ("surplus", "customer_balance", -1_95),
        },
    ),
    (
        "the cheque taken back",
        it_bounces,
        {
            ("payment_returned", "receivable", 68_05),
            ("payment_returned", "customer_balance", 1_95),
            ("payment_returned", "bank", -70_00),
        },
    ),
    (
        "write-off",
        give_it_up,
        {("write_off", "bad_debt", 68_05), ("write_off", "receivable", -68_05)},
    ),
    # 141.54 - 4.40 - 53.35 + 68.05 - 2.27 - 68.05 - 15.00
    ("payout", pay_out, {("payout", "bank", 66_52), ("payout", "stripe_clearing", -66_52)}),
    (
        "payout that came back",
        payout_fails,
        {("payout_failed", "bank", -66_52), ("payout_failed", "stripe_clearing", 66_52)},
    ),
]


@pytest.fixture
def walk(shop: Counter) -> Walk:
    shop.company = world.company("taxed", "Taxed Dental", contract=world.terms(CONTRACT))
    shop.payer = world.payer_of(shop.company)
    shop.admin = world.viewer("tess@taxed.example", company=shop.company, administrator=True)
    shop.at(PAID_AT)
    shop.add_card(default=True)
    return Walk(shop)


def test_every_money_fact_is_posted_once(walk: Walk) -> None:
    for name, deed, expected in FACTS:
        deed(walk)
        found = walk.new()
        assert len(found) == len(expected), f"{name}: {found}"
        assert set(found) == expected, name
        assert sum(minor for _, _, minor in found) == 0, name
    (dollars,) = trial_balance(walk.shop.staff, as_of=date(2026, 3, 31))
    assert {line.account: line.balance.minor for line in dollars.lines} == {
        "receivable": 0,
        "customer_balance": 0,
        "revenue": -130_00 + 49_00 - 62_50,
        "tax_payable": -11_54 + 4_35 - 5_55,
        "stripe_clearing": 66_52,
        "bad_debt": 68_05,
        "refunds_payable": 0,
        "bank": 0,
        "stripe_fees": 4_40 + 2_27 + 15_00,
        "chargebacks": 0,
    }
    assert dollars.adds_up
    walk.shop.reconcile(NIGHT + 10 * DAY)
    assert walk.shop.kinds() == []
    assert walk.new() == [], "reconciliation finds nothing more to post"


def test_a_charge_cannot_be_posted_twice(shop: Counter) -> None:
    invoice = shop.paid()
    charge = shop.charge_of(invoice)
    record_payment(invoice_id=invoice.id, amount_minor=135_00, reference=charge, now=NIGHT)
    assert Entry.objects.filter(kind="payment").count() == 1
    other = shop.bill(10, month=2)
    record_payment(invoice_id=other.id, amount_minor=13_50, reference=charge, now=NIGHT)
    other.refresh_from_db()
    assert other.paid_minor == 0, "one charge pays one invoice"
    with pytest.raises((Overpaid, MoveRefused)):
        record_payment(invoice_id=invoice.id, amount_minor=135_00, reference="ch_other", now=NIGHT)
    assert Entry.objects.filter(kind="payment").count() == 1


def test_the_database_itself_refuses_a_charge_a_second_time(shop: Counter) -> None:
    """Two sessions post the same charge at the same moment, with plain SQL: the second one fails."""
    charge = shop.charge_of(shop.paid())
    with pytest.raises(IntegrityError, match="ledger_entry_key"), transaction.atomic():
        Entry.objects.create(key=f"payment:{charge}", kind="payment", at=NIGHT, description="Again", sides=2)
    attempt = PaymentAttempt.objects.get()
    with pytest.raises(IntegrityError, match="charge"), transaction.atomic():
        PaymentAttempt.objects.create(
            intent=attempt.intent,
            invoice=attempt.invoice,
            payment_method=attempt.payment_method,
            trigger="staff",
            state="succeeded",
            amount_minor=1,
            currency="USD",
            charge=charge,
            created_at=NIGHT,
        )
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def post_it() -> None:
        try:
            with transaction.atomic():
                together.wait(10)
                with connection.cursor() as cursor:
                    cursor.execute(
                        "WITH e AS (INSERT INTO ledger_entry (id, key, kind, at, description, sides)"
                        " VALUES (gen_random_uuid(), 'payment:ch_race', 'payment', now(), '', 2)"
                        " RETURNING id)"
                        " INSERT INTO ledger_posting (id, entry_id, account, amount_minor, currency)"
                        " SELECT gen_random_uuid(), e.id, side.account, side.minor, 'USD' FROM e,"
                        " (VALUES ('bank', 1), ('stripe_clearing', -1)) side(account, minor)"
                    )
            outcomes.append("posted")
        except IntegrityError:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=post_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["posted", "refused"]
    assert Entry.objects.filter(key="payment:ch_race").count() == 1
