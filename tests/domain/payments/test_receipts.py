"""One receipt for each time that an invoice is settled: what it is over, what it names, what became of it.

Invoice 135.00. Days in February and March 2026; the newest receipt is the one people are offered.

| What happened | Receipts: number, amount, what of it was taken back |
| --- | --- |
| card 135 | 1: 135 |
| card 135, bank took 135 | 1: 135, all of it taken back |
| card 135, bank took 135, card 135 | 2: 135 stands; 1: 135, all of it taken back |
| card 135, bank took 40 | 1: 135, 40 of it taken back |
| card 135, bank took 40, cheque 40 | 2: 135 (card 95, cheque 40) stands; 1 |
| card 135, bank took 40, cheque 10 | 1: 135, 40 of it taken back; none for a part |
| card 135, bank took 135, cheque 200 | 2: 135 stands (65 are credit balance); 1 |
| cheque 54, card 81, bank took 81, cheque 81 | 2: 135 (cheque 54, cheque 81) stands; 1: 81 of it taken back |
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import Receipt
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.documents.reading import text_of
from tests.domain.payments.disputes import disputed, in_books, lift, message
from tests.domain.payments.shop import Shop
from tests.domain.payments.test_returned_payments import AFTER_DUE, BOUNCED, CAME, cheque, take_back

START = world.at("2026-02-03T15:00")
ALL, PART = "Taken back on", "of it was taken back on"


class Story:
    """Things happen to one invoice, each a day after the other."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.now: datetime = START
        self.invoice: Invoice = shop.bill()
        shop.add_card(default=True)

    def live(self, deed: str) -> None:
        """ "card", "cheque 54", "bank took 40"."""
        self.now += timedelta(days=1)
        what, _, amount = deed.rpartition(" ")
        if deed == "card":
            self.card()
        elif what == "cheque":
            self.cheque(int(amount) * 100)
        else:
            self.lose(int(amount) * 100)
        self.invoice.refresh_from_db()
        in_books(self.shop)

    def card(self) -> None:
        operations.retry_now(
            invoice_id=self.invoice.id, actor_id=self.shop.staff.user_id, reason="-", now=self.now
        )

    def cheque(self, minor: int) -> None:
        operations.record_bank_payment(
            invoice_id=self.invoice.id,
            method="cheque",
            amount=Money(minor, "USD"),
            reference=f"no. {self.now:%d%m}",
            received_on=date(2026, 2, 2),
            reason="-",
            actor_id=self.shop.staff.user_id,
            now=self.now,
        )

    def lose(self, minor: int) -> None:
        reference = disputed(self.shop, self.invoice, amount=minor)
        message(reference, when=self.now)
        self.shop.sandbox.close_dispute(reference, "lost")
        message(reference, "charge.dispute.closed", self.now)
        lift(self.shop, reference, self.now)


@pytest.mark.parametrize(
    ("deeds", "receipts"),
    [
        (["card"], [(1, 135_00, "")]),
        (["card", "bank took 135"], [(1, 135_00, ALL)]),
        (["card", "bank took 135", "card"], [(2, 135_00, ""), (1, 135_00, ALL)]),
        (["card", "bank took 40"], [(1, 135_00, PART)]),
        (["card", "bank took 40", "cheque 40"], [(2, 135_00, ""), (1, 135_00, PART)]),
        (["card", "bank took 40", "cheque 10"], [(1, 135_00, PART)]),
        (["card", "bank took 135", "cheque 200"], [(2, 135_00, ""), (1, 135_00, ALL)]),
        (["cheque 54", "card", "bank took 81", "cheque 81"], [(2, 135_00, ""), (1, 135_00, PART)]),
    ],
    ids=lambda value: " then ".join(value) if isinstance(value[0], str) else "",
)
def test_the_table(shop: Shop, deeds: list[str], receipts: list[tuple[int, int, str]]) -> None:
    story = Story(shop)
    for deed in deeds:
        story.live(deed)
    given = queries.receipts_of(shop.admin, story.invoice.id)
    assert [(each.number, each.amount.minor) for each in given] == [
        (f"CIC-R-{n:06d}", minor) for n, minor, _ in receipts
    ]
    for each, (_, _, words) in zip(given, receipts, strict=True):
        assert words in each.taken_back if words else each.taken_back == ""
    assert queries.receipt_of(shop.admin, story.invoice.id) == given[0]


def test_the_new_one_names_what_stayed_and_what_came_and_the_old_one_is_as_it_was(shop: Shop) -> None:
    story = Story(shop)
    story.live("card")
    old = queries.receipt_of(shop.admin, story.invoice.id)
    assert old is not None
    first_pdf = operations.receipt_pdf(viewer=shop.admin, number=old.number, now=story.now)
    story.live("bank took 40")
    story.live("cheque 40")
    new, kept = queries.receipts_of(shop.admin, story.invoice.id)
    assert kept.taken_back == "$40.00 of it was taken back on 5 February 2026."
    assert operations.receipt_pdf(viewer=shop.admin, number=kept.number, now=story.now) == first_pdf
    text = text_of(operations.receipt_pdf(viewer=shop.admin, number=new.number, now=story.now))
    assert "Visa •••• 4242, 4 February 2026" in text
    assert "$95.00" in text
    assert "Cheque, received 2 February 2026, reference no. 0602" in text
    assert "$40.00" in text
    assert "$135.00 USD" in text
    assert shop.told("payment_received")[-1].attachment == f"receipt:{new.id}"


def test_an_old_one_asked_for_late_names_what_settled_it_then(shop: Shop) -> None:
    """Nobody had opened its PDF before the bank took the money."""
    story = Story(shop)
    for deed in ("card", "bank took 135", "card"):
        story.live(deed)
    new, old = queries.receipts_of(shop.admin, story.invoice.id)
    for receipt, other in ((old, new), (new, old)):
        text = text_of(operations.receipt_pdf(viewer=shop.admin, number=receipt.number, now=story.now))
        assert receipt.charge_reference in text
        assert other.charge_reference not in text


def test_only_one_stands(shop: Shop) -> None:
    story = Story(shop)
    story.live("card")
    receipt = Receipt.objects.get()
    another = Receipt(
        number="CIC-R-000099",
        invoice=receipt.invoice,
        amount_minor=1,
        currency="USD",
        paid_at=story.now,
    )
    with pytest.raises(IntegrityError, match="one_standing_receipt"), transaction.atomic():
        another.save(force_insert=True)


def test_receipts_from_before_that_are_owed_again_stand_no_more(shop: Shop) -> None:
    """What the migration does to an installation whose invoice was charged back before it came."""
    story = Story(shop)
    story.live("card")
    story.live("bank took 40")
    Receipt.objects.update(taken_back_at=None, taken_back_minor=0)
    module = "callbill.domain.payments.migrations.0009_receipts_and_returned_payments"
    with connection.cursor() as cursor:
        cursor.execute(import_module(module).OWED_AGAIN)
    receipt = Receipt.objects.get()
    assert (receipt.taken_back_at, receipt.taken_back_minor) == (story.now, 40_00)


def test_each_receipt_names_what_it_is_over_also_when_it_is_asked_for_late(shop: Shop) -> None:
    """Cheque 54 and cheque 81; the first bounces and another 54 comes: receipt 2 names 81 and the new 54."""
    invoice = shop.bill()
    first = cheque(shop, invoice, 54_00, reference="alpha")
    cheque(shop, invoice, 81_00, CAME + timedelta(hours=1), reference="beta")
    take_back(shop, first)
    cheque(shop, invoice, 54_00, BOUNCED + timedelta(days=1), reference="gamma")
    named = {}
    for receipt in queries.receipts_of(shop.admin, invoice.id):
        text = text_of(operations.receipt_pdf(viewer=shop.admin, number=receipt.number, now=AFTER_DUE))
        assert "$135.00 USD" in text
        named[receipt.number] = [word for word in ("alpha", "beta", "gamma") if word in text]
    assert named == {"CIC-R-000002": ["beta", "gamma"], "CIC-R-000001": ["alpha", "beta"]}
