"""Holiday calendars in scopes, and the durations that rounded calls are counted with: M2 and M14."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.counting import (
    CallFacts,
    ChargeCount,
    UnknownCalendar,
    judge,
    missing_calendars,
    needs_durations,
    needs_order,
    tally,
)
from callbill.rules.prices import Quantity
from callbill.rules.rating import rate
from callbill.rules.terms import Billable, Package, Scope, Tier, UsageCharge
from tests.rules.rating_values import PER_CALL, PER_MINUTE, january, terms_of

DAYS = {"us-federal": frozenset({date(2021, 1, 18)}), "empty": frozenset[date]()}
WORKDAYS = replace(PER_CALL, id="work", scope=Scope(holidays="us-federal"))


def call_at(utc: str, talk: int = 60, name: str = "c") -> CallFacts:
    started = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    return CallFacts(f"{name}{utc}", started, started + timedelta(seconds=talk), talk * 1000)


@pytest.mark.parametrize(
    ("utc", "charge"),
    [
        ("2021-01-18T04:59:59", "work"),  # still the 17th in New York
        ("2021-01-18T05:00:00", "calls"),
        ("2021-01-19T04:59:59", "calls"),
        ("2021-01-19T05:00:00", "work"),
    ],
)
def test_a_day_of_the_calendar_does_not_fit(utc: str, charge: str) -> None:
    (verdict,) = judge([call_at(utc)], terms_of(WORKDAYS, PER_CALL), DAYS)
    assert verdict.charge_id == charge


def test_the_day_is_that_of_the_anchor() -> None:
    call = call_at("2021-01-18T04:59:30")
    terms = terms_of(WORKDAYS, PER_CALL, billable=Billable(anchor="ended_at"))
    assert judge([call], terms, DAYS)[0].charge_id == "calls"


def test_a_calendar_that_is_not_there_is_an_error_also_without_calls() -> None:
    terms = terms_of(
        WORKDAYS, replace(WORKDAYS, id="b", scope=Scope(holidays="nowhere", queue=("q",))), PER_CALL
    )
    assert missing_calendars(terms, DAYS) == ("nowhere",)
    with pytest.raises(UnknownCalendar, match='no holiday calendar "us-federal", "nowhere"') as unknown:
        judge([], terms)
    assert unknown.value.names == ("us-federal", "nowhere")
    assert judge([], terms_of(replace(WORKDAYS, scope=Scope(holidays="empty"))), DAYS) == []


ROUNDED = replace(PER_MINUTE, round_each_call=2)


@pytest.mark.parametrize(
    ("charge", "durations", "order"),
    [
        (PER_MINUTE, False, False),
        (replace(PER_CALL, round_each_call=2, included=Decimal(1)), False, False),
        (ROUNDED, True, False),
        (replace(ROUNDED, included=Decimal(0)), True, True),
        (replace(ROUNDED, rate=None, package=Package(1, Decimal(1))), True, True),
        (replace(ROUNDED, rate=None, tiers=(Tier(None, Decimal(1)),)), True, False),
        (
            replace(ROUNDED, rate=None, tiers=(Tier(Decimal(1), Decimal(1)), Tier(None, Decimal(1)))),
            True,
            True,
        ),
        (
            replace(
                ROUNDED,
                rate=None,
                tiers=(Tier(Decimal(1), Decimal(1)), Tier(None, Decimal(1))),
                tier_mode="volume",
            ),
            True,
            False,
        ),
    ],
)
def test_which_charges_need_durations(charge: UsageCharge, durations: bool, order: bool) -> None:
    assert (needs_durations(charge), needs_order(charge)) == (durations, order)


CALLS = [call_at(f"2021-01-05T15:{nth:02}:00", talk) for nth, talk in enumerate((30, 30, 60, 0, 30))]


def test_durations_are_counted_once_each_or_in_order_of_time() -> None:
    rounded = terms_of(ROUNDED)
    assert tally(judge(CALLS[::-1], rounded), rounded).charges == (
        ChargeCount("minutes", 5, 150, ((0, 1), (30, 3), (60, 1))),
    )
    ordered = terms_of(replace(ROUNDED, included=Decimal(1)))
    assert tally(judge(CALLS[::-1], ordered), ordered).charges == (
        ChargeCount("minutes", 5, 150, ((30, 2), (60, 1), (0, 1), (30, 1))),
    )
    plain = terms_of(PER_MINUTE)
    assert tally(judge(CALLS, plain), plain).charges == (ChargeCount("minutes", 5, 150),)


@given(st.lists(st.integers(0, 200), max_size=20))
def test_what_is_counted_is_what_is_priced(talks: list[int]) -> None:
    terms = terms_of(replace(ROUNDED, rate=Decimal("0.10")))
    calls = [call_at("2021-01-05T15:00:00", talk, f"{nth:02}") for nth, talk in enumerate(talks)]
    (count,) = tally(judge(calls, terms), terms).charges
    line = rate(january(terms, quantities={"minutes": Quantity.counted(count, "minute")})).lines[0]
    assert line.amount == sum(
        (talk * 10 + 30) // 60 for talk in talks
    )  # cents of talk / 60 x 0.10, halves up
