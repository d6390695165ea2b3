"""Back-testing a year of calls and verifying a month of many: how long, and in how much memory."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime

from django.db import connection

from callbill.domain.customers.models import Company
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import backtest, verify_invoice
from tests.domain import world

Timed = Callable[[str], AbstractContextManager[dict[str, object]]]

YEAR_CALLS = int(os.environ.get("BENCH_YEAR_CALLS", "100000"))
MONTH_CALLS = int(os.environ.get("BENCH_MONTH_CALLS", "1000000"))

CONTRACT = """
currency = "USD"
time_zone = "America/New_York"
effective_from = 2030-01-01
[billable]
exclude_cap_percent = "10"
free_short_calls = { under_seconds = 30, per_period = 30 }
[[usage]]
id = "outbound"
name = "Outbound minutes"
unit = "minute"
rate = "0.05"
increments = "60/6"
[usage.scope]
direction = ["outbound"]
[[usage]]
id = "inbound"
name = "Inbound calls"
unit = "call"
rate = "1.35"
[[fee]]
id = "desk"
name = "Front desk"
amount = "49.00"
[tax]
[[tax.rate]]
name = "Sales tax"
percent = "8.875"
"""

_CALLS = """
INSERT INTO usage_call (
    id, company_id, source, source_call_id, started_at, ended_at, talk_ms, direction, disposition, flags,
    received_at, revision, from_number, to_number, service)
SELECT gen_random_uuid(), %(company)s, 'bench', n::text, at, at + interval '3 minutes',
       n::bigint * 7919 %% 300000, CASE WHEN n %% 3 = 0 THEN 'outbound' ELSE 'inbound' END,
       CASE WHEN n %% 11 = 0 THEN 'abandoned' ELSE 'answered' END,
       CASE WHEN n %% 50 = 0 THEN ARRAY['spam'] ELSE ARRAY[]::varchar[] END, at, 1,
       '+1212555' || lpad((n %% 10000)::text, 4, '0'), '+12125550100', 'main'
FROM (
    SELECT n, %(first)s::timestamptz + (%(last)s::timestamptz - %(first)s::timestamptz) / %(count)s * n AS at
    FROM generate_series(0, %(count)s - 1) AS n
) AS made
"""


def measure_at_scale(timed: Timed) -> None:
    """A draft over a year of calls of ten companies, and one big month verified."""
    terms = world.terms(CONTRACT)
    companies = [world.company(f"year-{n}", f"Year {n}", terms) for n in range(10)]
    for company in companies:
        _add_calls(company, YEAR_CALLS // 10, date(2030, 1, 1), date(2031, 1, 1))
    with timed(f"bill a year of {YEAR_CALLS:,} calls") as extra:
        extra["issued"] = len(run_billing(now=world.at("2031-01-02T09:00")).issued)
    draft = world.terms(CONTRACT.replace("1.35", "1.20"))
    with timed(f"back-test a year of {YEAR_CALLS:,} calls") as extra:
        ids = [company.id for company in companies]
        found = backtest(terms=draft, company_ids=ids, months=12, now=world.at("2031-01-02T09:00"))
        extra.update(rows=len(found.rows), difference=found.difference.text)
    big = world.company("big", "Big", world.terms(CONTRACT, effective_from=date(2031, 1, 1)))
    _add_calls(big, MONTH_CALLS, date(2031, 1, 1), date(2031, 1, 31))
    with timed(f"bill a month of {MONTH_CALLS:,} calls"):
        run_billing(now=world.at("2031-02-02T09:00"))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE usage_call")
    number = str(Invoice.objects.get(payer__company=big).number)
    with timed(f"verify a month of {MONTH_CALLS:,} calls") as extra:
        extra["differences"] = len(verify_invoice(number))
        extra["peak memory, MB"] = _peak_mb()


def _add_calls(company: Company, count: int, first: date, last: date) -> None:
    """So many calls, evenly over the days from `first` until before `last`."""
    values = {"company": company.id, "count": count, "first": _noon(first), "last": _noon(last)}
    with connection.cursor() as cursor:
        cursor.execute(_CALLS, values)


def _noon(day: date) -> datetime:
    return world.at(f"{day}T12:00")


def _peak_mb() -> int:
    """The most memory that this process has had; Linux counts in KB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)
