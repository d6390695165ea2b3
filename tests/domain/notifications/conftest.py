"""A payer with two billing contacts, a message, and an empty mailbox folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from callbill.domain.customers.models import BillableEntity, BillingContact, Company, Seller
from callbill.domain.notifications.operations import Attachment, Message, tell

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

MESSAGE = Message(
    subject="Invoice CIC-000007",
    headline="Your invoice for February 2026",
    paragraphs=("We will charge your Visa •••• 4242 on 1 March.", "There is nothing to do."),
    facts=(("Total", "$1,027.35"), ("Due", "15 March 2026")),
    action=("See the invoice", "/invoices/CIC-000007/"),
)


@pytest.fixture
def mailbox(settings: Settings, tmp_path: Path) -> Path:
    settings.MAIL_DELIVERY = "mailbox"
    settings.MAILBOX_DIR = tmp_path / "mailbox"
    settings.DEFAULT_FROM_EMAIL = "billing@cic.example"
    settings.CALLBILL_BASE_URL = "https://billing.cic.example"
    return tmp_path / "mailbox"


@pytest.fixture
def payer(db: None) -> BillableEntity:
    Seller.objects.create(name="CIC", legal_name="CIC Inc", email="help@cic.example")
    company = Company.objects.create(key="acme", name="Acme Dental")
    made = BillableEntity.objects.create(company=company, currency="USD", legal_name="Acme Dental LLC")
    for email in ("ada@acme.example", "bo@acme.example"):
        BillingContact.objects.create(payer=made, email=email)
    return made


@pytest.fixture
def say(payer: BillableEntity) -> Callable[..., int]:
    def _say(key: str = "issued:1", message: Message = MESSAGE, *, attachment: str = "") -> int:
        return tell(
            key=key, kind="issued", payer_id=payer.id, message=message, attachment=attachment, now=NOW
        )

    return _say


def no_files(reference: str) -> Attachment:
    """The attachments of a test whose messages have none."""
    raise AssertionError(f"nobody asked for {reference}")
