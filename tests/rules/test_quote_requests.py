"""Every mistake of a quote's request is told with its place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from callbill.rules.quote import quote
from tests.rules.test_quote import CONTRACT, SEATS, SUPPORT, WORKDAYS, asked, call, errors


def test_a_call_may_have_keys_of_its_source_but_no_slips_of_the_pen() -> None:
    assert quote(asked(call("a", agent="Kim", wait=None)))["calls"]["received"] == 1
    assert errors(asked(call("a", dispositon="busy", flag=["spam"]))) == [
        ("calls[0].flag", 'is not a key here; did you mean "flags"?')
    ]


def test_what_a_call_lacks_is_told_only_if_the_contract_needs_it() -> None:
    bare = {"id": "a", "started_at": "2026-03-02T14:05:00Z", "disposition": "answered"}
    assert quote(asked(bare))["calls"]["billable"] == 1
    by_minute = {**CONTRACT, "usage": [SUPPORT], "tax": {}}
    assert [path for path, _ in errors(asked(bare, contract=by_minute))] == ["calls[0].talk_ms"]
    by_end = {**CONTRACT, "billable": {"anchor": "ended_at"}}
    assert [path for path, _ in errors(asked(bare, contract=by_end))] == ["calls[0].ended_at"]


BAD_CALLS = [
    ({"id": None}, "id", "is missing"),
    ({"id": 7}, "id", "must be text in quotes"),
    ({"started_at": None}, "started_at", "is missing; write when it was offered"),
    ({"started_at": "2026-03-02T14:05:00"}, "started_at", "without an offset"),
    ({"started_at": "2026-02-31T14:05:00Z"}, "started_at", "no such time"),
    ({"started_at": "yesterday"}, "started_at", "ISO 8601"),
    ({"started_at": 1772460300}, "started_at", "ISO 8601"),
    ({"started_at": "0001-01-01T00:00:00Z"}, "started_at", "year must be from 1970"),
    ({"ended_at": "2026-03-02T14:04:59-05:00"}, "ended_at", "before the call starts"),
    ({"answered_at": "2026-03-02T14:04:59-05:00"}, "answered_at", "before the call starts"),
    ({"talk_ms": 1.5}, "talk_ms", "must be a whole number"),
    ({"talk_ms": "60000"}, "talk_ms", "without quotes"),
    ({"wrap_ms": -1}, "wrap_ms", "from 0 to"),
    ({"disposition": None}, "disposition", "is missing"),
    ({"disposition": "answer"}, "disposition", 'did you mean "answered"?'),
    ({"direction": "in"}, "direction", 'must be "inbound", "outbound" or "internal"'),
    ({"flags": "spam"}, "flags", "in brackets"),
    ({"flags": ["scam"]}, "flags[0]", '"robocall"'),
    ({"to_number": "911"}, "to_number", "E.164"),
]


@pytest.mark.parametrize(("change", "key", "phrase"), BAD_CALLS)
def test_a_bad_call_is_told_with_its_place(change: dict[str, Any], key: str, phrase: str) -> None:
    found = errors(asked(call("a"), {**call("b"), **change}))
    assert [path for path, _ in found] == [f"calls[1].{key}"]
    assert phrase in found[0][1]


def test_two_calls_of_one_id_that_differ_are_refused() -> None:
    found = errors(asked(call("a"), call("b"), call("a", talk_ms=1)))
    assert [path for path, _ in found] == ["calls[2].id"]
    assert "which calls[0] has too" in found[0][1]


def without(key: str) -> Callable[[dict[str, Any]], object]:
    """A change that takes a key out."""
    return lambda request: request.pop(key)


def having(**keys: Any) -> Callable[[dict[str, Any]], object]:
    """A change that sets keys."""
    return lambda request: request.update(keys)


@pytest.mark.parametrize(
    ("more", "path", "phrase"),
    [
        ({}, "fee[0].quantity.of", 'give it in "quantity"'),
        ({"quantity_history": {"seats": {"2026-03-02": "1"}}}, "fee[0].quantity.of", "held on 2026-03-01"),
        ({"quantity_history": {"seats": {}}}, "quantity_history.seats", "an object of days and values"),
        ({"quantity_history": []}, "quantity_history", "an object of days and values"),
        ({"quantity_history": {"seats": {"March": "1"}}}, "quantity_history.seats.March", "must be a date"),
        (
            {"quantity_history": {"seats": {"2026-03-01": 1.5}}},
            "quantity_history.seats.2026-03-01",
            "in quotes",
        ),
        (
            {"quantity": {"seats": "1"}, "quantity_history": {"seats": {"2026-03-01": "1"}}},
            "quantity.seats",
            "give one of them",
        ),
        ({"quantity": {"seats": "-1"}}, "quantity.seats", "must not be negative"),
        ({"quantity": {"seats": "1"}, "holidays": []}, "holidays", "an object of calendars"),
        ({"quantity": {"seats": "1"}, "holidays": {"x": "y"}}, "holidays.x", "an object of calendars"),
        ({"quantity": {"seats": "1"}, "holidays": {"x": ["y"]}}, "holidays.x[0]", "must be a date"),
    ],
)
def test_what_a_quote_takes_from_the_request_is_checked(more: dict[str, Any], path: str, phrase: str) -> None:
    found = errors({"contract": {**CONTRACT, "fee": [SEATS]}, "period": "2026-03", **more})
    assert path in [place for place, _ in found]
    assert phrase in dict(found)[path]


def test_a_calendar_that_calls_need_and_the_request_lacks_is_told() -> None:
    contract = {**CONTRACT, "usage": [WORKDAYS], "tax": {}}
    assert errors(asked(call("a"), contract=contract)) == [
        (
            "usage[0].scope.holidays",
            'is "us-federal", a calendar the request does not have; '
            'give its days in "holidays", as in {"us-federal": ["2026-07-03"]}',
        )
    ]


BAD_REQUESTS = [
    (without("contract"), "contract", "is missing"),
    (having(contract="contract.toml"), "contract", "must be the contract"),
    (without("period"), "period", "is missing"),
    (having(period="2026-13"), "period", 'as in "2026-03"'),
    (having(period="0001-01"), "period", 'as in "2026-03"'),
    (having(period=202603), "period", 'as in "2026-03"'),
    (having(perod="2026-03"), "perod", 'did you mean "period"?'),
    (having(**{"from": "2026-02-28"}), "from", "the billing period is 2026-03-01 until before 2026-04-01"),
    (having(**{"from": "2026-04-01"}), "from", "outside the period"),
    (having(until="2026-04-02"), "until", "outside the period"),
    (having(until="2026-03-32"), "until", "no such day"),
    (having(**{"from": "2026-03-10", "until": "2026-03-10"}), "until", "must lie after from"),
    (having(quantity=["6200"]), "quantity", "must be an object of charge ids"),
    (having(quantity={"inbond": "1"}), "quantity.inbond", 'its charges are "inbound"'),
    (having(quantity={"inbound": 1.5}), "quantity.inbound", 'write it in quotes, as in "1.5"'),
    (having(quantity={"inbound": "1.5"}), "quantity.inbound", "calls are whole"),
    (having(quantity={"inbound": "-1"}), "quantity.inbound", "must not be negative"),
    (having(quantity={"inbound": "many"}), "quantity.inbound", "plain decimal"),
    (having(calls=[]), "quantity", "not both"),
    (having(calls={}, quantity=None), "calls", "must be a list of calls"),
    (having(calls=["a"], quantity=None), "calls[0]", "must be a table with"),
]


@pytest.mark.parametrize(("change", "path", "phrase"), BAD_REQUESTS)
def test_a_bad_request_is_told_with_its_place(
    change: Callable[[dict[str, Any]], object], path: str, phrase: str
) -> None:
    request: dict[str, Any] = {"contract": CONTRACT, "period": "2026-03", "quantity": {"inbound": "1"}}
    change(request)
    found = errors(request)
    assert [place for place, _ in found] == [path]
    assert phrase in found[0][1]


def test_mistakes_of_contract_period_and_calls_are_told_together() -> None:
    contract = copy.deepcopy(CONTRACT)
    contract["usage"][0]["rate"] = 1.35
    found = errors({"contract": contract, "period": "March", "calls": [call("a", talk_ms=-1)]})
    assert [path for path, _ in found] == ["usage[0].rate", "calls[0].talk_ms", "period"]
