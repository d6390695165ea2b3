"""Two workers collecting at once: each invoice is charged once. Workers that are killed: tests/kills."""

from __future__ import annotations

import json
import os
from datetime import date

from django.conf import settings

from callbill.domain.payments.models import Receipt
from tests import killing
from tests.domain.payments.shop import Shop, issued_row

SETTINGS = ("STRIPE_API_BASE", "STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY")


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
