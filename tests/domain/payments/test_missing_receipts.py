"""What was paid in part before something else settled the rest has a receipt, too."""

from __future__ import annotations

from datetime import timedelta

from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import Receipt
from tests.domain.payments.disputes import credit
from tests.domain.payments.shop import ISSUED, Shop
from tests.domain.payments.test_returned_payments import cheque

LATER = ISSUED + timedelta(days=12)


def given(shop: Shop) -> list[int]:
    operations.give_missing_receipts(now=LATER)
    return list(Receipt.objects.filter(taken_back_at=None).values_list("amount_minor", flat=True))


def test_a_part_paid_and_the_rest_credited(shop: Shop) -> None:
    invoice = shop.bill()
    cheque(shop, invoice, 54_00)
    assert given(shop) == []  # 81.00 are still owed
    credit(shop, invoice, 81_00)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    assert operations.give_missing_receipts(now=LATER) == 1
    assert given(shop) == [54_00]
    assert operations.give_missing_receipts(now=LATER) == 0
    receipt = Receipt.objects.get()
    assert receipt.paid_at == LATER
    (mail,) = shop.told("receipt")
    assert "You paid $54.00 of it; the receipt for that is attached." in mail.body_text
    assert mail.attachment == f"receipt:{receipt.id}"
    assert queries.receipt_for(shop.admin, receipt.number).number == receipt.number
    assert operations.receipt_pdf(viewer=shop.admin, number=receipt.number, now=LATER).startswith(b"%PDF")


def test_nothing_for_what_was_credited_as_a_whole(shop: Shop) -> None:
    invoice = shop.bill()
    credit(shop, invoice)
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert given(shop) == []


def test_no_second_one_where_credit_came_after_it_was_paid(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    credit(shop, invoice, 35_00)
    assert given(shop) == [135_00]
