"""What is shown of calls: days, the calls behind a line, digests; and to whom."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from callbill.domain.customers.models import Company
from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.usage import queries
from callbill.domain.usage.models import Call
from callbill.lib.fields import new_id
from callbill.rules.period import Period
from callbill.rules.terms import Billable, Terms, UsageCharge

MARCH = Period(date(2026, 3, 1), date(2026, 4, 1), "America/New_York")
TERMS = Terms(
    "USD",
    "America/New_York",
    date(2026, 1, 1),
    billable=Billable(min_talk_seconds=5),
    usage=(UsageCharge("calls", "Calls", "call", Decimal("1.35")),),
)


def a_call(company: Company, name: str, started_at: datetime, **changes: Any) -> Call:
    """A stored call of a minute."""
    values: dict[str, Any] = {"talk_ms": 60_000, "direction": "inbound", "disposition": "answered"}
    values |= {"source": "switch", "received_at": started_at, "ended_at": started_at + timedelta(minutes=1)}
    values |= changes
    return Call.objects.create(company=company, source_call_id=name, started_at=started_at, **values)


def viewer(*companies: Company, is_staff: bool = False) -> Viewer:
    """A member of these companies, or staff."""
    ids = frozenset(company.id for company in companies)
    return Viewer(new_id(), "Ada", "ada@example.org", is_staff, ids, frozenset(), frozenset(), frozenset())


def test_calls_per_local_day_with_the_days_that_have_none(companies: dict[str, Company]) -> None:
    acme = companies["acme"]
    moments = [
        datetime(2026, 3, 1, 4, 59, 59, tzinfo=UTC),  # still February in New York
        datetime(2026, 3, 1, 5, tzinfo=UTC),
        datetime(2026, 3, 9, 3, 59, 59, tzinfo=UTC),  # the 8th, which has 23 hours
        datetime(2026, 3, 9, 4, tzinfo=UTC),
        datetime(2026, 4, 1, 3, 59, 59, tzinfo=UTC),
        datetime(2026, 4, 1, 4, tzinfo=UTC),  # April
    ]
    for number, moment in enumerate(moments):
        a_call(acme, str(number), moment)
    a_call(companies["borealis"], "other", moments[1])
    view = queries.usage_of(viewer(acme), acme.id, MARCH)
    assert [day for day, _ in view.days] == [date(2026, 3, n) for n in range(1, 32)]
    assert {day.day: calls for day, calls in view.days if calls} == {1: 1, 8: 1, 9: 1, 31: 1}
    assert (view.received, view.busiest) == (4, 1)


def test_another_tenants_usage_is_not_found(companies: dict[str, Company]) -> None:
    acme, borealis = companies["acme"], companies["borealis"]
    with pytest.raises(NotFound):
        queries.usage_of(viewer(acme), borealis.id, MARCH)
    with pytest.raises(NotFound):
        queries.usage_of(viewer(is_staff=True), new_id(), MARCH)
    assert queries.usage_of(viewer(is_staff=True), borealis.id, MARCH).received == 0


def test_the_calls_behind_a_charge_page_by_page_and_those_not_billed(companies: dict[str, Company]) -> None:
    settlement, start = new_id(), MARCH.start
    for number in range(7):
        talk = 1000 if number == 3 else 60_000
        moment = start + timedelta(hours=number)
        a_call(companies["acme"], str(number), moment, talk_ms=talk, settlement_id=settlement)
    asked: dict[str, Any] = {"settlement_ids": [settlement], "terms": TERMS}
    pages = [queries.calls_behind(**asked, charge_id="calls", page=n, page_size=4) for n in (1, 2, 3)]
    assert [[row.source_call_id for row in page.rows] for page in pages] == [
        ["0", "1", "2", "4"],
        ["5", "6"],
        [],
    ]
    assert {(page.total, page.pages) for page in pages} == {(6, 2)}
    first = pages[0].rows[0]
    assert (first.billable, first.charge_id, first.billed_seconds, first.words) == (
        True,
        "calls",
        60,
        "Billed",
    )
    others = queries.not_billed(**asked)
    assert [(row.source_call_id, row.reason) for row in others.rows] == [("3", "too_short")]
    assert "shorter than" in others.rows[0].words
    streamed = queries.stream_calls_behind(**asked, charge_id="calls")
    assert [row.source_call_id for row in streamed] == ["0", "1", "2", "4", "5", "6"]
    assert queries.calls_behind(**asked, charge_id="nothing").total == 0


CONTENT = [
    ("source", "other"),
    ("source_call_id", "x"),
    ("started_at", MARCH.start + timedelta(microseconds=1)),
    ("answered_at", MARCH.start),
    ("ended_at", MARCH.start + timedelta(minutes=2)),
    ("talk_ms", 60_001),
    ("wrap_ms", 0),
    ("hold_ms", 0),
    ("queue_ms", 0),
    ("direction", "outbound"),
    ("disposition", "voicemail"),
    ("service", ""),
    ("queue", "q"),
    ("number", "+12125550100"),
    ("from_number", "+12125550100"),
    ("to_number", "+12125550100"),
    ("flags", ["spam"]),
]


@pytest.mark.parametrize(("field", "value"), CONTENT)
def test_the_digest_changes_with_every_fact_of_a_call(
    companies: dict[str, Company], field: str, value: Any
) -> None:
    settlement = new_id()
    call = a_call(companies["acme"], "1", MARCH.start, settlement_id=settlement)
    before = queries.digest(settlement)
    Call.objects.filter(id=call.id).update(**{field: value})
    after = queries.digest(settlement)
    assert before[0] == after[0] == 1
    assert before[1] != after[1]


def test_the_digest_depends_on_the_set_and_not_on_how_it_is_stored(companies: dict[str, Company]) -> None:
    settlement = new_id()
    start = MARCH.start
    calls = [
        a_call(
            companies["acme"],
            name,
            start,
            settlement_id=settlement,
            queue=f"a\nb{name}",
            flags=["spam", "test"],
        )
        for name in ("b", "B", "é", "1")
    ]
    before = queries.digest(settlement)
    assert before[0] == 4
    kept = [dict(call) for call in Call.objects.order_by("-source_call_id").values()]
    Call.objects.all().delete()
    for values in kept:
        Call.objects.create(**{**values, "flags": list(reversed(values["flags"]))})
    assert queries.digest(settlement) == before
    Call.objects.filter(id=calls[0].id).update(settlement_id=None)
    assert queries.digest(settlement)[0] == 3
    assert queries.digest(settlement)[1] != before[1]
    assert queries.digest(UUID(int=0))[0] == 0
