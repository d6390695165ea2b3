"""Counting in SQL says the same as the plain rules, whatever the calls, the contract and the deliveries."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from callbill.domain.customers.models import Company
from callbill.domain.usage import operations, queries
from callbill.domain.usage._counting import Between, Settled
from callbill.domain.usage.models import Call
from callbill.lib.fields import new_id
from callbill.rules.counting import CallFacts, Count, UnknownCalendar, judge, tally
from callbill.rules.terms import (
    Billable,
    FreeShortCalls,
    Increments,
    Package,
    Scope,
    Terms,
    Tier,
    UsageCharge,
)
from tests.domain.usage import files

ZONES = ("America/New_York", "Europe/London", "UTC", "Australia/Lord_Howe")
DISPOSITIONS = ("answered", "abandoned", "no_answer", "voicemail")
FLAGS = ("spam", "wrong_number", "test", "internal", "robocall")
NUMBERS = ("+12125550100", "+12125550101", "+442071838750", "+15550100", "101")
PREFIXES = ("+1", "+1212", "+44", "+4420", "+1555")
# Around both changes of the clocks in New York, a Sunday each, and over a week.
STARTS = (datetime(2026, 3, 8, 4, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC))


@st.composite
def some_calls(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to thirty calls, many at the same instant, with few different values so that rules meet."""
    calls = []
    for number in range(draw(st.integers(0, 30))):
        start = draw(st.sampled_from(STARTS)) + timedelta(minutes=draw(st.integers(0, 40)) * 30)
        talk = draw(
            st.sampled_from((0, 1, 999, 4999, 5000, 29_999, 30_000, 60_000, 60_001, 61_000, 3_600_000))
        )
        calls.append(
            {
                "id": draw(st.sampled_from(("a", "B", "é", "𝒳", "-", "10", "9"))) + str(number),
                "started_at": start,
                "ended_at": start + timedelta(milliseconds=talk) + timedelta(minutes=draw(st.integers(0, 2))),
                "talk_ms": talk,
                "wrap_ms": draw(st.sampled_from((None, 0, 1, 30_000))),
                "direction": draw(st.sampled_from(("inbound", "outbound"))),
                "disposition": draw(st.sampled_from(DISPOSITIONS[:2] * 3 + DISPOSITIONS[2:])),
                "service": draw(st.sampled_from((None, "main", "sales"))),
                "queue": draw(st.sampled_from((None, "reception", "Reception"))),
                "number": draw(st.sampled_from((None, *NUMBERS))),
                "from_number": draw(st.sampled_from((None, *NUMBERS))),
                "to_number": draw(st.sampled_from((None, *NUMBERS))),
                "flags": sorted(draw(st.sets(st.sampled_from(FLAGS), max_size=2))),
            }
        )
    return calls


def some_of(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Nothing, mostly, or one or two of the values."""
    few = st.lists(st.sampled_from(values), unique=True, min_size=1, max_size=2).map(tuple)
    return st.one_of(st.just(()), st.just(()), few)


HOURS = st.sampled_from((None, time(0), time(1, 30), time(8), time(18), time(23, 59)))
SCOPES = st.builds(
    Scope,
    direction=some_of(("inbound", "outbound")),
    service=some_of(("main", "sales")),
    queue=some_of(("reception", "Reception")),
    number=some_of(NUMBERS),
    prefix=some_of(PREFIXES),
    weekdays=some_of(("sat", "sun", "mon", "tue")),
    from_time=HOURS,
    until_time=HOURS,
    holidays=st.sampled_from((None, None, "us-federal", "none-at-all")),
)
# Days of the changes of the clocks, and those after.
SUNDAYS = (date(2026, 3, 8), date(2026, 3, 9), date(2026, 11, 1), date(2026, 11, 2), date(2026, 12, 25))
CALENDARS = {"us-federal": frozenset(SUNDAYS), "none-at-all": frozenset[date]()}
TIERS = (Tier(Decimal(2), Decimal(1)), Tier(None, Decimal(2)))
PRICES = st.sampled_from(
    (
        {"rate": Decimal(1)},
        {"rate": Decimal(1), "included": Decimal(3)},
        {"tiers": TIERS},
        {"tiers": TIERS, "tier_mode": "volume"},
        {"tiers": TIERS[1:]},
        {"package": Package(10, Decimal(1))},
    )
)
INCREMENTS = st.builds(Increments, st.sampled_from((1, 6, 30, 60)), st.sampled_from((1, 6, 60)))
CHARGES = st.builds(
    lambda price, **given: UsageCharge(id="", name="charge", **price, **given),
    PRICES,
    unit=st.sampled_from(("call", "minute")),
    scope=SCOPES,
    increments=INCREMENTS,
    basis=st.sampled_from(("talk", "handle")),
    round_each_call=st.sampled_from((None, 0, 2)),
)
PERCENTS = st.sampled_from(
    (None, Decimal(0), Decimal("10"), Decimal("33.3333"), Decimal("99.9"), Decimal(100))
)
BILLABLE = st.builds(
    Billable,
    dispositions=st.sampled_from((("answered",), ("answered", "abandoned"), DISPOSITIONS)),
    anchor=st.sampled_from(("started_at", "ended_at")),
    min_talk_seconds=st.sampled_from((0, 0, 1, 5, 60)),
    exclude_flags=st.lists(st.sampled_from(FLAGS), unique=True).map(tuple),
    exclude_cap_percent=PERCENTS,
    free_short_calls=st.one_of(
        st.none(), st.builds(FreeShortCalls, st.sampled_from((1, 5, 30, 61)), st.integers(1, 4))
    ),
    test_numbers=some_of(NUMBERS),
)


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    """A contract of up to four charges whose scopes may overlap and tie."""
    charges = draw(st.lists(CHARGES, max_size=4))
    return Terms(
        currency="USD",
        time_zone=draw(st.sampled_from(ZONES)),
        effective_from=date(2026, 1, 1),
        billable=draw(BILLABLE),
        usage=tuple(replace(charge, id=f"charge-{number}") for number, charge in enumerate(charges)),
    )


def stored(company: Company, call: dict[str, Any], **changes: Any) -> Call:
    """The call as a row, not yet written."""
    values = {**call, **changes}
    values["source_call_id"] = values.pop("id")
    return Call(company=company, source="switch", received_at=STARTS[1], **values)


def plain(company: Company, terms: Terms) -> Count:
    """What the plain rules count of all of a company's calls."""
    facts = [queries.facts_of(call) for call in Call.objects.filter(company=company)]
    return tally(judge(facts, terms, CALENDARS), terms)


class CountingInSql(TestCase):
    """One database transaction per example."""

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(some_calls(), some_terms())
    def test_sql_and_plain_rules_agree(self, calls: list[dict[str, Any]], terms: Terms) -> None:
        company = Company.objects.create(key="acme", name="Acme")
        other = Company.objects.create(key="other", name="Other")
        first, second = new_id(), new_id()
        Call.objects.bulk_create(
            [
                *(
                    stored(company, call, settlement_id=(first, second)[n % 2])
                    for n, call in enumerate(calls)
                ),
                *(stored(other, call, settlement_id=new_id()) for call in calls[:5]),
            ]
        )
        verdicts = judge(
            [queries.facts_of(call) for call in Call.objects.filter(company=company)], terms, CALENDARS
        )
        assert queries.count_settled([first, second, first], terms, CALENDARS) == tally(verdicts, terms)
        assert list(queries.facts([first, second])) == [
            queries.facts_of(call)
            for call in Call.objects.filter(company=company).order_by("started_at", "id")
        ]
        shown = {}
        for charge in terms.usage:
            for row in queries.stream_calls_behind(
                settlement_ids=[first, second], terms=terms, charge_id=charge.id, calendars=CALENDARS
            ):
                shown[f"{row.source}:{row.source_call_id}"] = (row.reason, row.charge_id, row.billed_seconds)
        for row in queries.stream_not_billed(
            settlement_ids=[first, second], terms=terms, calendars=CALENDARS
        ):
            shown[f"{row.source}:{row.source_call_id}"] = (row.reason, row.charge_id, row.billed_seconds)
        assert shown == {v.call.id: (v.reason, v.charge_id, v.billed_seconds) for v in verdicts}

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(some_calls(), some_terms(), st.integers(0, 10_000))
    def test_the_order_of_deliveries_does_not_matter(
        self, calls: list[dict[str, Any]], terms: Terms, seed: int
    ) -> None:
        chance = random.Random(seed)
        deliveries = [(call, 1) for call in calls]
        revised = [
            ({**call, "talk_ms": call["talk_ms"] // 2, "flags": ["spam"]}, 2)
            for call in calls
            if chance.random() < 0.4
        ]
        expected = Company.objects.create(key="expected", name="Expected")
        newest = {call["id"]: call for call, _ in deliveries + revised}
        Call.objects.bulk_create([stored(expected, call) for call in newest.values()])
        counts = set()
        for attempt in ("one", "two"):
            company = Company.objects.create(key=attempt, name=attempt)
            pile = deliveries + revised + chance.sample(deliveries, len(deliveries) // 2)
            chance.shuffle(pile)
            while pile:
                size = chance.randint(1, len(pile))
                part, pile = pile[:size], pile[size:]
                report = files.deliver(part, company=attempt)
                assert report.set_aside == 0
                assert report.accepted + report.revised + report.repeated == len(part)
            counts.add(str(plain(company, terms)))
            counts.add(str(_between(company, terms)))
        assert counts == {str(plain(expected, terms))}


def _between(company: Company, terms: Terms) -> Count:
    return queries.count_between(
        company_id=company.id,
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2027, 1, 1, tzinfo=UTC),
        terms=terms,
        calendars=CALENDARS,
    )


@pytest.mark.django_db
def test_a_calendar_that_is_not_there_is_refused() -> None:
    scope = Scope(holidays="moon")
    terms = replace(_anything(), usage=(UsageCharge("c", "C", "call", Decimal(1), scope=scope),))
    with pytest.raises(UnknownCalendar, match="moon"):
        queries.count_settled([new_id()], terms, CALENDARS)


@pytest.mark.django_db
def test_durations_come_in_runs_by_time_or_by_length() -> None:
    company = Company.objects.create(key="acme", name="Acme")
    for number, talk in enumerate((30, 30, 60, 30, 0)):
        at = STARTS[0] + timedelta(minutes=number)
        call = {"id": str(number), "started_at": at, "ended_at": at, "talk_ms": talk * 1000}
        stored(company, {**call, "direction": "inbound", "disposition": "answered"}).save()

    def durations(**price: Any) -> tuple[tuple[int, int], ...]:
        charge = UsageCharge("m", "Minutes", "minute", round_each_call=2, **price)
        return _between(company, replace(_anything(), usage=(charge,))).charges[0].durations

    assert durations(rate=Decimal(1)) == ((0, 1), (30, 3), (60, 1))
    assert durations(rate=Decimal(1), included=Decimal(1)) == ((30, 2), (60, 1), (30, 1), (0, 1))


@pytest.mark.django_db
def test_several_companies_are_counted_in_one_query(django_assert_num_queries: Any) -> None:
    terms = Terms("USD", "UTC", date(2026, 1, 1), usage=(UsageCharge("c", "C", "call", Decimal(1)),))
    companies = [Company.objects.create(key=f"c{n}", name=f"C{n}") for n in range(3)]
    start = STARTS[0]
    Call.objects.bulk_create(
        Call(
            company=company,
            source="s",
            source_call_id=str(call),
            started_at=start,
            ended_at=start,
            talk_ms=0,
            direction="inbound",
            disposition="answered",
            received_at=start,
        )
        for number, company in enumerate(companies)
        for call in range(number)
    )
    sets = {c.key: Between(c.id, start, start + timedelta(seconds=1)) for c in companies}
    with django_assert_num_queries(1):
        counted = queries.count(sets, terms)
    assert {key: count.billable for key, count in counted.items()} == {"c0": 0, "c1": 1, "c2": 2}


@pytest.mark.django_db
def test_the_end_of_a_window_is_outside_it_and_settling_marks_each_call_once() -> None:
    company = Company.objects.create(key="acme", name="Acme")
    start, end = STARTS[0], STARTS[0] + timedelta(days=1)
    for number, at in enumerate(
        (start - timedelta(microseconds=1), start, end - timedelta(microseconds=1), end)
    ):
        Call.objects.create(
            company=company,
            source="s",
            source_call_id=str(number),
            started_at=at,
            ended_at=at + timedelta(hours=30),
            talk_ms=0,
            direction="inbound",
            disposition="answered",
            received_at=end,
        )
    window: dict[str, Any] = {"company_id": company.id, "start": start, "end": end, "anchor": "started_at"}
    first, second = new_id(), new_id()
    assert queries.has_unsettled(**window)
    assert operations.settle(**window, settlement_id=first) == 2
    assert operations.settle(**window, settlement_id=second) == 0
    assert not queries.has_unsettled(**window)
    late = {**window, "start": start - timedelta(days=1), "end": start}
    assert queries.has_unsettled(**late)
    assert operations.settle(**late, settlement_id=second) == 1
    assert queries.count({"all": Settled((first, second))}, _anything())["all"].received == 3


def _anything() -> Terms:
    return Terms("USD", "UTC", date(2026, 1, 1))


def test_facts_of_the_same_source_id_differ_by_source() -> None:
    at = STARTS[0]
    call = Call(source="a", source_call_id="1", started_at=at, ended_at=at, talk_ms=0, disposition="answered")
    assert queries.facts_of(call).id == "a:1"
    assert isinstance(queries.facts_of(call), CallFacts)
