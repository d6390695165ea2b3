"""What is counted, call by call: M7 and M10 to M14."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.counting import (
    REASONS,
    CallFacts,
    ChargeCount,
    billed_seconds,
    charge_for,
    judge,
    reason_in_words,
    tally,
)
from callbill.rules.terms import Billable, FreeShortCalls, Increments, Scope, Terms, UsageCharge

START = datetime(2026, 1, 5, 15, tzinfo=UTC)  # a Monday, 10:00 in New York


def a_call(nth: int = 0, talk: int = 60, **facts: object) -> CallFacts:
    """Call `nth` begins that many minutes after START and is answered for `talk` seconds."""
    began = START + timedelta(minutes=nth)
    plain = CallFacts(f"c{nth:03}", began, began + timedelta(seconds=talk), talk * 1000)
    return replace(plain, **facts)  # type: ignore[arg-type]


def some_terms(*usage: UsageCharge, **rules: object) -> Terms:
    return Terms(
        currency="USD",
        time_zone="America/New_York",
        effective_from=date(2026, 1, 1),
        billable=Billable(**rules),  # type: ignore[arg-type]
        usage=usage or (UsageCharge("calls", "Calls", "call", Decimal("1.35")),),
    )


def charge(charge_id: str, **scope: object) -> UsageCharge:
    return UsageCharge(charge_id, charge_id, "call", Decimal(1), scope=Scope(**scope))  # type: ignore[arg-type]


def reasons(calls: Sequence[CallFacts], terms: Terms) -> list[str]:
    return [verdict.reason for verdict in judge(calls, terms)]


@pytest.mark.parametrize(
    ("ms", "increments", "seconds"),
    [
        (0, (60, 6), 0),
        (1, (60, 6), 60),
        (60_000, (60, 6), 60),
        (60_001, (60, 6), 66),
        (66_000, (60, 6), 66),
        (31_000, (30, 60), 90),
        (61_000, (30, 60), 90),
        (90_001, (30, 60), 150),
        (37_000, (1, 1), 37),
        (37_001, (1, 1), 38),
        (37_000, (6, 6), 42),
        (37_000, (30, 6), 42),
        (61_000, (60, 60), 120),
    ],
)
def test_seconds_round_by_initial_and_increment(ms: int, increments: tuple[int, int], seconds: int) -> None:
    assert billed_seconds(ms, Increments(*increments)) == seconds


def test_a_call_does_not_last_a_negative_time() -> None:
    with pytest.raises(ValueError, match="cannot last"):
        billed_seconds(-1, Increments())


@given(st.integers(0, 10**8), st.integers(1, 600), st.integers(1, 600))
def test_billed_seconds_are_the_formula_of_m13(ms: int, initial: int, increment: int) -> None:
    seconds = billed_seconds(ms, Increments(initial, increment))
    duration = Fraction(ms, 1000)
    if duration == 0:
        assert seconds == 0
    elif duration <= initial:
        assert seconds == initial
    else:
        assert seconds == initial + ceil((duration - initial) / increment) * increment
    assert seconds >= duration
    assert billed_seconds(ms + 1, Increments(initial, increment)) >= seconds


@pytest.mark.parametrize(
    ("facts", "rules", "reason"),
    [
        ({}, {}, "billable"),
        ({"disposition": "abandoned"}, {}, "disposition"),
        ({"disposition": "voicemail"}, {"dispositions": ("answered", "voicemail")}, "billable"),
        ({"from_number": "+15550100"}, {"test_numbers": ("+15550100",)}, "test_number"),
        ({"to_number": "+15550100"}, {"test_numbers": ("+15550100",)}, "test_number"),
        ({"number": "+15550100"}, {"test_numbers": ("+15550100",)}, "billable"),
        ({"flags": frozenset({"spam"})}, {}, "flag_spam"),
        ({"flags": frozenset({"internal", "test"})}, {}, "flag_test"),
        ({"flags": frozenset({"robocall"})}, {}, "billable"),
        ({"flags": frozenset({"spam"})}, {"exclude_flags": ()}, "billable"),
        ({"talk_ms": 4_999}, {"min_talk_seconds": 5}, "too_short"),
        ({"talk_ms": 5_000}, {"min_talk_seconds": 5}, "billable"),
        ({"talk_ms": 0}, {}, "billable"),
        ({"talk_ms": 4_999, "wrap_ms": 60_000}, {"min_talk_seconds": 5}, "too_short"),
        ({"talk_ms": 29_999}, {"free_short_calls": FreeShortCalls(30, 1)}, "free_short_call"),
        ({"talk_ms": 30_000}, {"free_short_calls": FreeShortCalls(30, 1)}, "billable"),
    ],
)
def test_each_rule_gives_its_reason(facts: dict[str, object], rules: dict[str, object], reason: str) -> None:
    verdict = judge([a_call(**facts)], some_terms(**rules))[0]  # type: ignore[arg-type]
    assert verdict.reason == reason
    assert verdict.billable is (reason == "billable")
    assert (verdict.charge_id is not None) is verdict.billable


def test_reasons_are_decided_in_order() -> None:
    everything = a_call(
        talk_ms=1, disposition="busy", from_number="+1", flags=frozenset({"spam"}), direction="outbound"
    )
    terms = some_terms(
        charge("inbound", direction=("inbound",)),
        test_numbers=("+1",),
        min_talk_seconds=5,
        free_short_calls=FreeShortCalls(30, 30),
    )
    seen = []
    for repair in (
        {},
        {"disposition": "answered"},
        {"from_number": None},
        {"flags": frozenset()},
        {"talk_ms": 6000},
        {"direction": "inbound"},
        {"talk_ms": 30_000},
    ):
        everything = replace(everything, **repair)  # type: ignore[arg-type]
        seen += reasons([everything], terms)
    assert seen == [
        "disposition",
        "test_number",
        "flag_spam",
        "too_short",
        "no_charge",
        "free_short_call",
        "billable",
    ]


def test_flags_exclude_no_more_than_the_cap() -> None:
    spam = frozenset({"spam"})
    calls = [a_call(n, flags=spam if n in (3, 7, 11, 15) else frozenset()) for n in range(29)]
    calls[1] = replace(calls[1], flags=spam, from_number="+1")  # a test number does not use up the cap
    calls[2] = replace(calls[2], flags=spam, disposition="busy")  # nor does a call that is out anyway
    terms = some_terms(exclude_cap_percent=Decimal(10), test_numbers=("+1",))
    verdicts = judge(calls, terms)
    # floor(29 x 10 %) = 2
    assert [v.call.id for v in verdicts if v.reason == "flag_spam"] == ["c003", "c007"]
    assert verdicts[11].billable
    assert verdicts[15].billable
    assert reasons(calls, some_terms(exclude_cap_percent=Decimal(0))).count("flag_spam") == 0
    assert reasons(calls, some_terms(exclude_cap_percent=Decimal("24.2"))).count("flag_spam") == 5


def test_the_first_short_calls_are_free_and_ties_go_by_id() -> None:
    calls = [a_call(n, talk=10, started_at=START, id=name) for n, name in enumerate(("b", "C", "a"))]
    verdicts = judge(calls, some_terms(free_short_calls=FreeShortCalls(30, 2)))
    assert [(v.call.id, v.reason) for v in verdicts] == [
        ("C", "free_short_call"),
        ("a", "free_short_call"),
        ("b", "billable"),
    ]


@pytest.mark.parametrize(
    ("facts", "scope", "fits"),
    [
        ({"direction": "inbound"}, {"direction": ("inbound",)}, True),
        ({"direction": "outbound"}, {"direction": ("inbound", "internal")}, False),
        ({}, {"direction": ("inbound",)}, False),
        ({"service": "main"}, {"service": ("Main",)}, False),
        ({"queue": "reception", "service": "main"}, {"queue": ("reception",), "service": ("other",)}, False),
        ({"number": "+15550101"}, {"number": ("+15550101",)}, True),
        ({"to_number": "+12125550100"}, {"prefix": ("+1312", "+1212")}, True),
        ({"to_number": "+13125550100"}, {"prefix": ("+1212",)}, False),
        ({}, {"prefix": ("+1212",)}, False),
        ({}, {"weekdays": ("mon",)}, True),
        ({}, {"weekdays": ("tue", "sun")}, False),
        ({}, {"from_time": time(10), "until_time": time(18)}, True),
        ({}, {"from_time": time(8), "until_time": time(10)}, False),
        ({}, {"from_time": time(22), "until_time": time(10, 1)}, True),
        ({}, {"from_time": time(22), "until_time": time(10)}, False),
        ({}, {"from_time": time(10, 1)}, False),
        ({}, {"until_time": time(10, 1)}, True),
        ({}, {"from_time": time(10), "until_time": time(10)}, False),
    ],
)
def test_a_scope_fits_when_all_its_keys_do(
    facts: dict[str, object], scope: dict[str, object], fits: bool
) -> None:
    taken = charge_for(a_call(**facts), some_terms(charge("only", **scope)))  # type: ignore[arg-type]
    assert (taken is not None) is fits


def test_hour_and_weekday_are_those_of_the_anchor_in_the_contracts_zone() -> None:
    # Begins Sunday 23:50 and ends Monday 00:10, New York time.
    call = a_call(
        started_at=datetime(2026, 1, 5, 4, 50, tzinfo=UTC), ended_at=datetime(2026, 1, 5, 5, 10, tzinfo=UTC)
    )
    sunday, monday = charge("sunday", weekdays=("sun",)), charge("monday", weekdays=("mon",))
    assert judge([call], some_terms(sunday, monday))[0].charge_id == "sunday"
    assert judge([call], some_terms(sunday, monday, anchor="ended_at"))[0].charge_id == "monday"


def test_the_longest_prefix_wins_and_then_the_first_charge() -> None:
    rest, first = charge("rest"), charge("first", prefix=("+1", "+1212"))
    second, third = charge("second", prefix=("+12125",)), charge("third", prefix=("+12125",))
    call = a_call(to_number="+12125550100")
    for charges, taken in (
        ((rest,), "rest"),
        ((rest, first), "first"),
        ((rest, first, second, third), "second"),
        ((third, second, first), "third"),
        ((charge("night", prefix=("+12125",), until_time=time(6)), first), "first"),
    ):
        found = charge_for(call, some_terms(*charges))
        assert found is not None
        assert found.id == taken


def test_a_holiday_calendar_is_not_ignored() -> None:
    with pytest.raises(ValueError, match="us-federal"):
        judge([a_call()], some_terms(charge("workdays", holidays="us-federal")))


def test_a_tally_has_every_charge_and_only_the_reasons_that_occurred() -> None:
    minutes = UsageCharge(
        "minutes",
        "Minutes",
        "minute",
        Decimal("0.95"),
        increments=Increments(60, 6),
        basis="handle",
        scope=Scope(direction=("inbound",)),
    )
    terms = some_terms(minutes, charge("out", direction=("outbound",)), exclude_flags=("vip", "spam"))
    calls = [
        a_call(1, talk=50, wrap_ms=11_000, direction="inbound"),
        a_call(2, talk=5, direction="inbound"),
        a_call(3, direction="internal"),
        a_call(4, disposition="busy"),
        a_call(5, flags=frozenset({"vip", "spam"})),
    ]
    count = tally(judge(calls, terms), terms)
    assert (count.received, count.billable) == (5, 2)
    assert list(count.not_billable.items()) == [("disposition", 1), ("no_charge", 1), ("flag_vip", 1)]
    assert count.charges == (ChargeCount("minutes", 2, 66 + 60), ChargeCount("out", 0, 0))


def test_every_reason_has_plain_words() -> None:
    assert reason_in_words("billable") == REASONS["billable"]
    assert reason_in_words("flag_wrong_number") == "Not billed: marked as a wrong number"
    assert reason_in_words("flag_caller_hung_up") == "Not billed: marked as caller hung up"


CALLS = st.lists(
    st.builds(
        a_call,
        nth=st.integers(0, 40),
        talk=st.integers(0, 90),
        disposition=st.sampled_from(["answered", "busy"]),
        flags=st.frozensets(st.sampled_from(["spam", "test", "robocall"])),
        from_number=st.sampled_from([None, "+1", "+2"]),
        direction=st.sampled_from([None, "inbound", "outbound"]),
    ),
    max_size=25,
    unique_by=lambda call: call.id,
)
TERMS = st.builds(
    some_terms,
    st.just(charge("in", direction=("inbound",))),
    st.just(charge("out", direction=("outbound",))),
    min_talk_seconds=st.integers(0, 10),
    exclude_cap_percent=st.none() | st.decimals(0, 100, places=1),
    free_short_calls=st.none() | st.builds(FreeShortCalls, st.integers(1, 60), st.integers(0, 5)),
    test_numbers=st.sampled_from([(), ("+1",)]),
)


@given(CALLS, TERMS, st.randoms())
def test_the_order_of_delivery_does_not_matter(calls: list[CallFacts], terms: Terms, random: object) -> None:
    shuffled = list(calls)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    verdicts = judge(calls, terms)
    assert judge(shuffled, terms) == verdicts


@given(CALLS, TERMS)
def test_every_call_has_one_verdict_and_limits_hold(calls: list[CallFacts], terms: Terms) -> None:
    verdicts = judge(calls, terms)
    assert sorted(verdict.call.id for verdict in verdicts) == sorted(call.id for call in calls)
    count = tally(verdicts, terms)
    assert count.received == len(calls) == count.billable + sum(count.not_billable.values())
    assert count.billable == sum(charge.calls for charge in count.charges)
    flagged = sum(n for reason, n in count.not_billable.items() if reason.startswith("flag_"))
    if terms.billable.exclude_cap_percent is not None:
        assert flagged * 100 <= len(calls) * terms.billable.exclude_cap_percent
    short = terms.billable.free_short_calls
    assert count.not_billable.get("free_short_call", 0) <= (short.per_period if short else 0)
