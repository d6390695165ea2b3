"""The doctor finds what is wrong and says what to do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from callbill.config import checkup
from callbill.config.checkup import NOTE, OK, PROBLEM, Finding
from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.notifications.models import Notification
from callbill.lib import clock
from callbill.rules.money import Money

pytestmark = pytest.mark.django_db


def found(topic: str) -> list[Finding]:
    """What the doctor says about one topic."""
    return [finding for finding in checkup.examine() if finding.topic == topic]


def levels(topic: str) -> set[str]:
    """How bad it is."""
    return {finding.level for finding in found(topic)}


@contextmanager
def server_that_says(greeting: bytes) -> Iterator[int]:
    """A server on a free port that greets and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            conversation, _ = listener.accept()
            with conversation:
                conversation.sendall(greeting)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_every_problem_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    settings.CALLBILL_MODE = "production"
    settings.CALLBILL_BASE_URL = "http://billing.example.com"
    settings.CALLBILL_DATA = blocked
    findings = list(checkup.examine())
    problems = [finding for finding in findings if finding.level == PROBLEM]
    assert {finding.topic for finding in problems} >= {"settings", "data folder", "stripe", "mail"}
    assert [finding for finding in problems if not finding.remedy] == []


def test_a_host_that_is_not_answered(settings: Settings) -> None:
    settings.CALLBILL_BASE_URL = "https://billing.example.com"
    assert any("CALLBILL_HOSTS=billing.example.com" in finding.remedy for finding in found("settings"))
    settings.ALLOWED_HOSTS = ["billing.example.com"]
    assert levels("settings") == {OK}


def test_pages_without_encryption_in_production(settings: Settings) -> None:
    settings.CALLBILL_MODE = "production"
    settings.ALLOWED_HOSTS = ["billing.example.com"]
    settings.CALLBILL_BASE_URL = "http://billing.example.com"
    assert any("without encryption" in finding.says for finding in found("settings"))


def test_the_database_is_at_this_version() -> None:
    assert levels("database") == {OK}


def test_a_database_that_is_behind() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'payments'")
    assert any("callbill migrate" in finding.remedy for finding in found("database"))


def test_books_that_do_not_agree() -> None:
    assert levels("ledger") == {OK}
    company = Company.objects.create(key="acme", name="Acme")
    payer = BillableEntity.objects.create(company=company, currency="USD", legal_name="Acme")
    amount = Money(500, "USD")
    post(
        key="stray",
        kind="payment",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        description="Money from nowhere",
        sides=[Side(Account.STRIPE_CLEARING, payer.id, amount), Side(Account.RECEIVABLE, payer.id, -amount)],
    )
    (finding,) = found("ledger")
    assert finding.level == PROBLEM
    assert str(payer.id) in finding.says


def test_a_moved_clock_is_noted(settings: Settings, tmp_path: Path) -> None:
    settings.CALLBILL_DATA = tmp_path
    assert levels("clock") == {OK}
    clock.move_to(clock.now() - timedelta(days=30))
    assert levels("clock") == {NOTE}


@pytest.mark.parametrize(
    ("secret", "publishable", "webhook", "says"),
    [
        ("", "pk_test_1", ["whsec_1"], "STRIPE_SECRET_KEY is not set"),
        ("sk_test_1", "", [], "STRIPE_PUBLISHABLE_KEY and STRIPE_WEBHOOK_SECRET are not set"),
        ("sk_live_1", "pk_test_1", ["whsec_1"], "One Stripe key is live"),
    ],
)
def test_stripe_keys(
    settings: Settings, secret: str, publishable: str, webhook: list[str], says: str
) -> None:
    settings.STRIPE_SECRET_KEY = secret
    settings.STRIPE_PUBLISHABLE_KEY = publishable
    settings.STRIPE_WEBHOOK_SECRETS = webhook
    (finding,) = found("stripe")
    assert finding.level == PROBLEM
    assert says in finding.says


def test_mail_that_nobody_receives(settings: Settings) -> None:
    settings.MAIL_DELIVERY = "mailbox"
    assert levels("mail") == {OK}
    settings.CALLBILL_MODE = "production"
    assert levels("mail") == {PROBLEM}


def test_letters_that_do_not_arrive() -> None:
    moment = datetime(2026, 3, 1, 9, tzinfo=UTC)
    letter = {"kind": "staff_matter", "subject": "A card must be looked at", "created_at": moment}
    Notification.objects.create(key="one", recipient="sam@cic.example", tries=2, problem="550", **letter)
    assert not any("could not be delivered" in finding.says for finding in found("mail"))
    Notification.objects.create(key="two", recipient="tim@cic.example", tries=3, problem="550 no", **letter)
    said = [finding.says for finding in found("mail") if finding.level == PROBLEM]
    assert (
        "1 could not be delivered; the oldest, to tim@cic.example, since 2026-03-01 09:00 UTC: 550 no" in said
    )


def test_a_mail_server(settings: Settings) -> None:
    settings.MAIL_DELIVERY = "smtp"
    settings.EMAIL_HOST = "127.0.0.1"
    with server_that_says(b"220 mail.example.com ESMTP\r\n") as settings.EMAIL_PORT:
        assert levels("mail") == {OK}
    with server_that_says(b"HTTP/1.1 400 Bad Request\r\n") as settings.EMAIL_PORT:
        assert levels("mail") == {PROBLEM}
    assert any("cannot be reached" in finding.says for finding in found("mail"))


def test_a_worker_is_seen_by_its_heartbeat() -> None:
    assert levels("worker") == {NOTE}
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    assert levels("worker") == {OK}


def test_documents_can_be_made() -> None:
    assert levels("documents") == {OK}
