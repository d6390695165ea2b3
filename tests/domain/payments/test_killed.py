"""The payment worker killed at every commit and every request: one charge or none, one entry, one message.

48 scenarios: dying before and after each of the six points at which a charge meets the world, for a card
that works and one that is declined, with Stripe's idempotency keys fresh and forgotten (25 hours old). In
between staff press "Retry now"; then the worker recovers twice (stripe.md 5.3).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Entry
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import operations
from callbill.domain.payments.models import PaymentAttempt, PaymentIntent, Receipt
from tests import killing
from tests.domain import world
from tests.domain.payments.shop import DECLINES, VISA, Shop, issued_row

DRIVER = Path(__file__).parent / "kill_driver.py"
ROOT = Path(__file__).resolve().parents[3]
# T1 commits; S1; T3 commits; S2; T4 commits; the key's matter is settled.
POINTS = 6
NOW = world.at("2026-02-01T09:00")
SETTINGS = ("STRIPE_API_BASE", "STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY")


@dataclass(frozen=True)
class Scenario:
    """One invoice and where its first charge is killed."""

    invoice: Invoice
    number: int
    when: str
    declined: bool


def scenarios(shop: Shop) -> list[Scenario]:
    """An invoice for every point, for a payer whose card works and one whose card is declined."""
    other = world.company("borealis", "Borealis Legal")
    boss = world.viewer("bo@borealis.example", company=other, administrator=True)
    shop.add_card(VISA)
    shop.add_card(DECLINES, viewer=boss, payer_id=world.payer_of(other).id)
    made = []
    for declined, payer in ((False, shop.payer), (True, world.payer_of(other))):
        months = iter(date(2020 + n // 12, n % 12 + 1, 1) for n in range(100))
        for number in range(1, POINTS + 2):
            for when in ("before", "after"):
                first = next(months)
                end = (first + timedelta(days=31)).replace(day=1)
                made.append(Scenario(issued_row(payer, first, end, 100_00 + number), number, when, declined))
    return made


def run_and_kill(those: list[Scenario]) -> list[int]:
    """The exit codes of the workers."""
    told = [
        {"invoice": str(s.invoice.id), "number": s.number, "when": s.when, "now": NOW.isoformat()}
        for s in those
    ]
    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        input=json.dumps(told),
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "callbill.config.settings",
            "DATABASE_URL": killing.database_url(),
            "KILL_SETTINGS": json.dumps({name: getattr(settings, name) for name in SETTINGS}),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes: list[int] = json.loads(done.stdout)
    return codes


def compete(shop: Shop, scenario: Scenario) -> None:
    """Staff try while the first attempt is in doubt."""
    try:
        operations.retry_now(
            invoice_id=scenario.invoice.id, actor_id=shop.staff.user_id, reason="no answer yet", now=NOW
        )
    except operations.PaymentRefused:
        # In progress, or paid already: refusing is right.
        return


def recover(now: datetime) -> None:
    for _ in range(2):
        assert operations.sweep_attempts(now=now).problems == []
        assert operations.collect_due(now=now).problems == []
        now += timedelta(minutes=20)


def assert_nothing_twice(shop: Shop, scenario: Scenario) -> None:
    invoice = Invoice.objects.get(id=scenario.invoice.id)
    where = f"{scenario.when} {scenario.number}, {'declined' if scenario.declined else 'paid'}"
    intents = list(PaymentIntent.objects.filter(invoice=invoice))
    assert len(intents) == 1, where
    at_stripe: list[Any] = shop.stripe.v1.charges.list({"payment_intent": str(intents[0].reference)}).data
    attempts = PaymentAttempt.objects.filter(invoice=invoice)
    told = Notification.objects.filter(subject_id=invoice.id)
    paid = 0 if scenario.declined else 1
    assert sum(charge.paid for charge in at_stripe) == paid, where
    assert Entry.objects.filter(description__contains=invoice.number).count() == paid, where
    assert Receipt.objects.filter(invoice=invoice).count() == paid, where
    assert told.filter(kind="payment_received").count() == paid, where
    assert invoice.status == ("past_due" if scenario.declined else "paid"), where
    if scenario.declined:
        # Every declined attempt has its own charge and its own message; staff's is a second attempt
        # where the killed worker left none or had finished its own.
        assert {a.state for a in attempts} == {"declined"}, where
        assert told.filter(kind="payment_failed").count() == attempts.count(), where
        assert len(at_stripe) == attempts.count(), where
        assert attempts.exclude(trigger="staff").count() <= 1, where
    else:
        assert list(attempts.values_list("state", flat=True)) == ["succeeded"], where


@pytest.mark.parametrize("keys", ["fresh", "forgotten"])
def test_killed_anywhere_and_recovered(shop: Shop, keys: str) -> None:
    those = scenarios(shop)
    codes = run_and_kill(those)
    expected = [killing.DIED if s.number <= POINTS else 0 for s in those]
    assert codes == expected, "every point is reached and kills, and there is none after the last"
    for scenario in those:
        compete(shop, scenario)
    later = NOW + timedelta(hours=1)
    if keys == "forgotten":
        shop.sandbox.advance(25 * 3600)
        later = NOW + timedelta(hours=25)
    recover(later)
    for scenario in those:
        assert_nothing_twice(shop, scenario)
    assert PaymentIntent.objects.count() == len(those)
    made = shop.stripe.v1.payment_intents.list({"limit": 100}).data
    assert len(made) == len(those), "no payment was prepared twice at Stripe"


def test_two_processes_collecting_at_once(shop: Shop) -> None:
    shop.add_card()
    for month in range(1, 7):
        issued_row(shop.payer, date(2020, month, 1), date(2020, month + 1, 1), 50_00)
    code = """
from datetime import datetime
from django.conf import settings
import json, os
for name, value in json.loads(os.environ["KILL_SETTINGS"]).items():
    setattr(settings, name, value)
from callbill.domain.payments.operations import collect_due
done = collect_due(now=datetime.fromisoformat("2026-02-01T09:00+00:00"))
assert not done.problems, done.problems
print(sum(done.attempts.values()))
"""
    os.environ["KILL_SETTINGS"] = json.dumps({name: getattr(settings, name) for name in SETTINGS})
    try:
        both = [killing.start(code) for _ in range(2)]
        answers = [child.communicate(timeout=120) for child in both]
    finally:
        del os.environ["KILL_SETTINGS"]
    assert [child.returncode for child in both] == [0, 0], answers
    assert sum(int(out) for out, _ in answers) == 6
    assert len(shop.charges()) == 6
    assert Receipt.objects.count() == 6
    assert sorted(Receipt.objects.values_list("number", flat=True)) == [f"CIC-R-{n:06d}" for n in range(1, 7)]
    assert len(shop.told("payment_received")) == 6
