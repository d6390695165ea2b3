"""Stories in time: what happens to a customer from month to month, with every mail they get."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from callbill.domain.customers.queries import viewer_of
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.queries import books_differences, invoice_for, verify_all
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import PaymentAttempt, Receipt
from callbill.gateways.email import list_mailbox
from callbill.jobs import work
from stripe_sandbox.handle import Handle
from tests.domain.payments.shop import Shop
from tests.domain.world import at, calls, company, organization, payer_of, person

pytestmark = pytest.mark.django_db(transaction=True)


class Life:
    """Time passes: every moment is an hourly run and the minute's catching up."""

    def __init__(self, sandbox: Handle) -> None:
        self.sandbox = sandbox
        self.heard = 0

    def until(self, text: str) -> list[str]:
        """Live at this moment; the kinds of the mails it brought, in order."""
        now = at(text)
        self.sandbox.set_clock(now.isoformat())
        work.bill_and_collect(now=now, trigger="schedule")
        work.catch_up(now=now)
        assert not Notification.objects.filter(sent_at=None).exists()
        kinds = list(Notification.objects.order_by("created_at", "id").values_list("kind", flat=True))
        news, self.heard = kinds[self.heard :], len(kinds)
        return news


def status(number: str) -> str:
    return Invoice.objects.get(number=number).status


def assert_the_books_agree() -> None:
    assert books_differences() == []
    assert all(differences == [] for _, differences in verify_all())


def test_a_card_expires_and_the_customer_recovers(shop: Shop, sandbox: Handle) -> None:
    life = Life(sandbox)
    card = shop.add_card(now=at("2026-01-05T12:00"))
    calls(shop.company, 100)
    calls(shop.company, 20, on=date(2026, 2, 10))
    calls(shop.company, 30, on=date(2026, 3, 10))

    # January is paid by itself.
    assert life.until("2026-02-01T09:00") == ["invoice_issued", "payment_received"]
    assert status("CIC-000001") == "paid"

    # In February the bank says that the card has expired: past due, told once, not tried again.
    sandbox.card(card.reference, outcomes=[{"code": "expired_card", "times": 9}])
    assert life.until("2026-03-01T09:00") == ["invoice_issued", "payment_failed"]
    assert status("CIC-000002") == "past_due"
    assert life.until("2026-03-01T10:00") == []
    assert life.until("2026-03-20T09:00") == []
    assert PaymentAttempt.objects.filter(invoice__number="CIC-000002").count() == 1

    # A new card alone does not pay; the next billing cycle does, together with March.
    shop.add_card("pm_card_mastercard", default=True, now=at("2026-03-25T12:00"))
    assert life.until("2026-03-25T13:00") == []
    news = life.until("2026-04-01T09:00")
    assert sorted(news) == ["invoice_issued", "payment_received", "payment_received"]
    assert [status(f"CIC-00000{n}") for n in (1, 2, 3)] == ["paid"] * 3
    assert [r.number for r in Receipt.objects.order_by("number")] == [
        f"{Receipt.objects.order_by('number')[0].number[:-6]}{n:06d}" for n in (1, 2, 3)
    ]
    assert sorted(charge.amount for charge in shop.charges(paid=True)) == [27_00, 40_50, 135_00]
    assert_the_books_agree()


def test_insufficient_funds_are_tried_again_at_the_next_cycle_and_no_sooner(
    shop: Shop, sandbox: Handle
) -> None:
    life = Life(sandbox)
    card = shop.add_card(now=at("2026-01-05T12:00"))
    calls(shop.company, 100)
    sandbox.decline_next(card.reference, "insufficient_funds")
    assert life.until("2026-02-01T09:00") == ["invoice_issued", "payment_failed"]
    failed = Notification.objects.get(kind="payment_failed")
    assert "1 March 2026" in failed.body_text
    assert failed.recipient == "billing@acme.example"
    for moment in ("2026-02-01T10:00", "2026-02-14T09:00", "2026-02-28T23:00"):
        assert life.until(moment) == []
    assert "payment_received" in life.until("2026-03-01T09:00")
    assert status("CIC-000001") == "paid"
    assert PaymentAttempt.objects.filter(invoice__number="CIC-000001").count() == 2
    assert_the_books_agree()


def test_nobody_adds_a_card_and_the_due_date_goes_by(shop: Shop, sandbox: Handle) -> None:
    life = Life(sandbox)
    calls(shop.company, 100)
    assert life.until("2026-02-01T09:00") == ["invoice_issued", "card_missing"]
    assert life.until("2026-02-14T09:00") == []
    assert status("CIC-000001") == "open"
    assert life.until("2026-02-16T09:00") == ["past_due"]
    assert status("CIC-000001") == "past_due"
    assert life.until("2026-02-17T09:00") == []
    # The customer adds a card and pays.
    shop.add_card(now=at("2026-02-18T09:00"))
    payments.pay_now(viewer=shop.admin, number="CIC-000001", now=at("2026-02-18T09:05"))
    assert life.until("2026-02-18T09:10") == ["payment_received"]
    assert status("CIC-000001") == "paid"
    assert_the_books_agree()


def test_two_companies_one_invoice_one_charge(shop: Shop, sandbox: Handle) -> None:
    life = Life(sandbox)
    harbor = organization()
    north, south = company("n", "Harbor North", of=harbor), company("s", "Harbor South", of=harbor)
    olga = viewer_of(person("olga@harbor.example", organization=harbor, administrator=True))
    ned = viewer_of(person("ned@north.example", company=north, administrator=True))
    payer = payer_of(north)
    shop.add_card(viewer=olga, payer_id=payer.id, now=at("2026-01-10T09:00"))
    calls(north, 40)
    calls(south, 60)
    life.until("2026-02-01T09:00")

    invoice = Invoice.objects.get(payer=payer)
    assert (invoice.status, invoice.total_minor) == ("paid", 135_00)
    assert [c.amount for c in shop.charges(paid=True)] == [135_00]
    whole = invoice_for(olga, str(invoice.number))
    part = invoice_for(ned, str(invoice.number))
    assert [s.total.text for s in whole.sections] == ["54.00", "81.00"]
    assert (part.summary.total.text, part.summary.partial) == ("54.00", True)
    told = Notification.objects.filter(payer=payer).values_list("recipient", flat=True).distinct()
    assert list(told) == ["billing@harbor.example"]
    assert_the_books_agree()


def test_every_mail_of_a_year_is_in_the_mailbox_once(
    shop: Shop, sandbox: Handle, settings: Any, tmp_path: Path
) -> None:
    settings.MAILBOX_DIR = tmp_path / "mailbox"
    life = Life(sandbox)
    shop.add_card(now=at("2026-01-05T12:00"))
    for month in range(1, 13):
        calls(shop.company, 10, on=date(2026, month, 15))
        life.until(f"{2026 + month // 12}-{month % 12 + 1:02d}-01T09:00")
    assert len(list_mailbox(settings.MAILBOX_DIR)) == 24
    assert Invoice.objects.filter(status="paid").count() == 12
    assert sum(c.amount for c in shop.charges(paid=True)) == 12 * 13_50
    assert_the_books_agree()
