"""When an invoice is tried again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.dunning import (
    MOST_AUTOMATIC_ATTEMPTS,
    Plan,
    Stop,
    Why,
    after_decline,
    billing_day_of,
    can_be_charged,
    ladder_problem,
    next_cycle,
    smallest_charge,
)
from callbill.rules.money import EXPONENTS, Money
from callbill.rules.period import period_containing
from callbill.rules.refusal import RefusalKind

DECLINED = datetime(2026, 2, 1, 9, tzinfo=UTC)
CYCLE = datetime(2026, 3, 1, 5, tzinfo=UTC)
HARD, CUSTOMER, SOFT = RefusalKind.HARD, RefusalKind.CUSTOMER, RefusalKind.SOFT
WITH_THE_CYCLE = Plan(CYCLE, why=Why.CYCLE)


def days(number: int) -> datetime:
    return DECLINED + timedelta(days=number)


@pytest.mark.parametrize(
    ("kind", "automatic", "made", "planned", "ladder", "expected"),
    [
        # The seed: on the next billing cycle.
        (SOFT, True, 1, None, [], WITH_THE_CYCLE),
        (CUSTOMER, True, 1, None, [], WITH_THE_CYCLE),
        # A ladder: its next step, then the cycle; a step after the cycle does not delay the cycle.
        (SOFT, True, 1, None, [3, 5], Plan(days(3), why=Why.LADDER)),
        (SOFT, True, 2, None, [3, 5], Plan(days(5), why=Why.LADDER)),
        (SOFT, True, 3, None, [3, 5], WITH_THE_CYCLE),
        (SOFT, True, 1, None, [40], WITH_THE_CYCLE),
        # A hard decline waits for another card, also where there is a ladder.
        (HARD, True, 1, None, [3, 5], Plan(CYCLE, Stop.REPLACE_CARD, Why.CYCLE)),
        (HARD, False, 0, days(3), [3], Plan(CYCLE, Stop.REPLACE_CARD, Why.CYCLE)),
        # What a person tried leaves the plan as it was.
        (SOFT, False, 1, days(3), [3, 5], Plan(days(3))),
        # The machine's own try was due and had not been made yet: it comes a day after the person's.
        (SOFT, False, 1, days(-1), [3, 5], Plan(days(1), why=Why.AFTER_A_PERSON)),
        (SOFT, False, 1, days(0), [], Plan(days(1), why=Why.AFTER_A_PERSON)),
        (SOFT, False, 0, None, [3, 5], WITH_THE_CYCLE),
        # A new card that was charged by itself on the day of the decline uses up no step.
        (SOFT, False, 1, None, [3, 5], Plan(days(3), why=Why.LADDER)),
        (SOFT, False, 2, None, [3, 5], Plan(days(5), why=Why.LADDER)),
        (SOFT, False, 3, None, [3, 5], WITH_THE_CYCLE),
        # The last of eight.
        (SOFT, True, 7, None, [], WITH_THE_CYCLE),
        (SOFT, True, 8, None, [], Plan(None, Stop.TOO_MANY)),
        (SOFT, False, 8, None, [], Plan(None, Stop.TOO_MANY)),
    ],
)
def test_what_follows_a_decline(
    *,
    kind: RefusalKind,
    automatic: bool,
    made: int,
    planned: datetime | None,
    ladder: list[int],
    expected: Plan,
) -> None:
    assert (
        after_decline(
            kind=kind,
            automatic=automatic,
            automatic_attempts=made,
            planned=planned,
            ladder_days=ladder,
            declined_at=DECLINED,
            cycle=CYCLE,
        )
        == expected
    )


@given(
    st.lists(st.tuples(st.sampled_from(list(RefusalKind)), st.booleans()), max_size=60),
    st.lists(st.integers(1, 60), max_size=6),
)
def test_never_more_than_eight_automatic_and_always_later(
    story: list[tuple[RefusalKind, bool]], ladder: list[int]
) -> None:
    now, made, plan = DECLINED, 0, Plan(DECLINED)
    for kind, automatic in story:
        if automatic:
            if plan.next_attempt_at is None:
                continue
            now = max(now, plan.next_attempt_at)
            made += 1
        cycle = next_cycle(date(2026, 1, 1), date(2026, 2, 1), "America/New_York", now)
        plan = after_decline(
            kind=kind,
            automatic=automatic,
            automatic_attempts=made,
            planned=plan.next_attempt_at,
            ladder_days=ladder,
            declined_at=now,
            cycle=cycle,
        )
        if plan.next_attempt_at is not None:
            assert now < plan.next_attempt_at
            assert plan.next_attempt_at <= cycle or not automatic
    assert made <= MOST_AUTOMATIC_ATTEMPTS


@given(
    st.integers(1, 31),
    st.dates(date(2020, 1, 1), date(2040, 1, 1)),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland"]),
)
def test_the_billing_day_is_found_again_in_a_period(billing_day: int, day: date, zone: str) -> None:
    period = period_containing(day, billing_day, zone)
    assert billing_day_of(period.first_day, period.end_day) == billing_day
    assert next_cycle(period.first_day, period.end_day, zone, period.start) == period.end


def test_the_next_cycle_is_the_customers_own_midnight() -> None:
    period = (date(2026, 2, 1), date(2026, 3, 1), "America/New_York")
    assert next_cycle(*period, datetime(2026, 3, 1, 4, 59, tzinfo=UTC)) == datetime(2026, 3, 1, 5, tzinfo=UTC)
    assert next_cycle(*period, datetime(2026, 3, 1, 5, tzinfo=UTC)) == datetime(2026, 4, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "possible"),
    [
        (Money(50, "USD"), True),
        (Money(49, "USD"), False),
        (Money(30, "GBP"), True),
        (Money(17499, "HUF"), False),
        (Money(50, "JPY"), True),
        (Money(0, "USD"), False),
    ],
)
def test_the_smallest_charge(amount: Money, possible: bool) -> None:
    assert can_be_charged(amount) is possible


def test_every_currency_has_a_smallest_charge() -> None:
    for currency in EXPONENTS:
        assert smallest_charge(currency).minor > 0


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([], ""),
        ([1], ""),
        ([3, 5, 30], ""),
        ([1, 2, 3, 4, 5, 6, 7], ""),
        ([0], "whole days from 1 to 30"),
        ([31], "whole days from 1 to 30"),
        ([True], "whole days"),
        (["3"], "whole days"),
        ([3, 3], "must go up"),
        ([5, 3], "must go up"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "at most 7 days"),
    ],
)
def test_what_a_retry_ladder_can_be(days: list[object], words: str) -> None:
    problem = ladder_problem(days)
    assert words in problem
    assert bool(problem) == bool(words)


def test_a_day_later_is_never_after_the_next_cycle() -> None:
    late = CYCLE - timedelta(hours=2)
    plan = after_decline(
        kind=SOFT,
        automatic=False,
        automatic_attempts=1,
        planned=late - timedelta(minutes=5),
        ladder_days=[3],
        declined_at=late,
        cycle=CYCLE,
    )
    assert plan == WITH_THE_CYCLE
