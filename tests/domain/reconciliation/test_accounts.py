"""Every account of the books is held against what it is made of, not only what is owed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.ledger.models import Account, Posting
from callbill.domain.ledger.operations import Side, post
from callbill.domain.payments import operations as payments
from callbill.domain.payments.queries import books_differences
from callbill.rules.money import Money
from tests.domain.payments.test_refunds import credit, refund
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter
from tests.domain.reconciliation.test_differences import tamper


def named() -> list[tuple[str, int, int]]:
    found = [(each.what, each.in_ledger.minor, each.by_invoices.minor) for each in books_differences()]
    return sorted(found)


def test_revenue_posted_as_tax(shop: Counter) -> None:
    shop.paid()
    tamper("UPDATE ledger_posting SET account = 'tax_payable' WHERE account = 'revenue'")
    assert named() == [("revenue", 0, -135_00), ("tax", -135_00, 0)]
    shop.reconcile()
    assert shop.kinds() == ["books", "books"]


def test_a_refund_on_its_way_that_nobody_makes(shop: Counter) -> None:
    invoice = shop.paid()
    amount = Money(35_00, "USD")
    post(
        key="refund:none",
        kind="refund",
        at=PAID_AT,
        description="Dreamt",
        sides=[
            Side(Account.REFUNDS_PAYABLE, invoice.payer_id, -amount),
            Side(Account.CHARGEBACKS, invoice.payer_id, amount),
        ],
    )
    assert named() == [("disputed", 35_00, 0), ("refunds on their way", -35_00, 0)]


def test_a_refund_on_its_way_is_owed_until_it_is_made(shop: Counter) -> None:
    invoice = shop.paid()
    note = credit(shop, invoice, 35_00)
    shop.sandbox.fault("503", path="/refunds", times=20)
    refund(shop, note)
    assert Posting.objects.get(account=Account.REFUNDS_PAYABLE).amount_minor == -35_00
    assert named() == []
    shop.sandbox.clear_faults()
    payments.sweep_refunds(now=PAID_AT + timedelta(days=1))
    assert (
        sum(Posting.objects.filter(account=Account.REFUNDS_PAYABLE).values_list("amount_minor", flat=True))
        == 0
    )
    assert named() == []


def test_money_at_the_bank_that_nobody_recorded(shop: Counter) -> None:
    shop.at(PAID_AT)
    invoice = shop.bill()
    payments.record_bank_payment(
        invoice_id=invoice.id,
        method="cheque",
        amount=Money(140_00, "USD"),
        reference="77",
        received_on=PAID_AT.date(),
        reason="-",
        actor_id=shop.staff.user_id,
        now=NIGHT,
    )
    assert named() == []
    tamper(
        "UPDATE ledger_posting SET amount_minor = amount_minor - 100 "
        "WHERE account = 'bank' AND amount_minor = 13500"
    )
    assert named() == [("bank", 139_00, 140_00)]


@pytest.mark.parametrize("account", [Account.REVENUE, Account.TAX_PAYABLE])
def test_what_was_posted_for_nobody_is_named(shop: Counter, account: Account) -> None:
    amount = Money(7_77, "USD")
    post(
        key="odd",
        kind="odd",
        at=PAID_AT,
        description="Odd",
        sides=[Side(account, None, amount), Side(Account.BANK, None, -amount)],
    )
    (found,) = books_differences()
    assert (found.payer_id, found.in_ledger) == (None, amount)
    shop.reconcile()
    assert shop.difference("books").what.startswith("No payer, ")
