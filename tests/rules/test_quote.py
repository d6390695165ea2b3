"""Quotes: the answers the contract file's description promises, and every mistake of a request."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callbill.rules.document import read_terms
from callbill.rules.quote import price, quote
from callbill.rules.unpriced import unpriced
from tests.rules.contracts import EXAMPLE, contracts

INBOUND = {"id": "inbound", "name": "Inbound calls", "unit": "call", "rate": "1.35"}
SUPPORT = {"id": "support", "name": "Support minutes", "unit": "minute", "rate": "0.95", "increments": "60/6"}
CONTRACT: dict[str, Any] = {
    "currency": "USD",
    "time_zone": "America/New_York",
    "effective_from": "2026-01-01",
    "usage": [INBOUND],
    "tax": {"rate": [{"name": "NY sales tax", "percent": "8.875", "applies_to": ["inbound"]}]},
}
ANSWER = {
    "currency": "USD",
    "period": ["2026-03-01T00:00:00-05:00", "2026-04-01T00:00:00-04:00"],
    "lines": [
        {
            "kind": "usage",
            "charge": "inbound",
            "name": "Inbound calls",
            "quantity": "6200",
            "unit": "call",
            "amount": "8370.00",
            "tax": "742.84",
        }
    ],
    "subtotal": "8370.00",
    "tax": "742.84",
    "total": "9112.84",
    "calls": {"received": 6200, "billable": 6200, "not_billable": {}},
}


def call(name: str, started_at: str = "2026-03-02T14:05:00-05:00", **more: Any) -> dict[str, Any]:
    """An answered call of a minute."""
    return {"id": name, "started_at": started_at, "disposition": "answered", "talk_ms": 60000, **more}


def asked(*calls: dict[str, Any], contract: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A request to price these calls in March 2026."""
    return {"contract": contract or CONTRACT, "period": "2026-03", "calls": list(calls), **more}


def errors(request: Any) -> list[tuple[str, str]]:
    """Path and message of every mistake the answer tells."""
    return [(error["path"], error["message"]) for error in quote(request)["error"]["errors"]]


def test_the_worked_example_by_quantity() -> None:
    assert quote({"contract": CONTRACT, "period": "2026-03", "quantity": {"inbound": "6200"}}) == ANSWER


def test_the_worked_example_by_calls() -> None:
    assert quote(asked(*(call(f"c{number}") for number in range(6200)))) == ANSWER


def test_the_batch_example_prices_the_part_of_the_period() -> None:
    contract = {
        "currency": "USD",
        "time_zone": "UTC",
        "effective_from": "2026-01-01",
        "usage": [{"id": "inbound", "name": "Inbound", "unit": "call", "rate": "1.35"}],
    }
    request = {"contract": contract, "period": "2026-03", "from": "2026-03-10", "until": "2026-04-01"}
    answer = quote({**request, "quantity": {"inbound": "6200"}})
    assert answer["period"] == ["2026-03-10T00:00:00+00:00", "2026-04-01T00:00:00+00:00"]
    assert (answer["subtotal"], answer["tax"], answer["total"]) == ("8370.00", "0.00", "8370.00")


def test_fees_in_advance_and_in_arrears_are_both_charged_by_the_days_quoted() -> None:
    fees = [
        {"id": "desk", "name": "Desk", "amount": "31.00", "when": "advance", "prorate": True},
        {"id": "line", "name": "Line", "amount": "62.00", "when": "arrears", "prorate": True, "quantity": 2},
        {"id": "whole", "name": "Whole", "amount": "10.00"},
    ]
    request = {"contract": {**CONTRACT, "fee": fees}, "period": "2026-03"}
    whole = quote(request)
    assert [(line["kind"], line["amount"]) for line in whole["lines"]] == [
        ("usage", "0.00"),
        ("fee", "31.00"),
        ("fee", "124.00"),
        ("fee", "10.00"),
    ]
    part = quote({**request, "from": "2026-03-22"})
    assert [line["amount"] for line in part["lines"]] == ["0.00", "10.00", "40.00", "10.00"]


@pytest.mark.parametrize(
    ("effective_from", "narrowed", "charged"),
    [
        ("2026-03-01", {}, True),
        ("2026-03-31", {}, True),
        ("2026-04-01", {}, False),
        ("2026-02-28", {}, False),
        ("2026-03-10", {"from": "2026-03-10"}, True),
        ("2026-03-10", {"from": "2026-03-11"}, False),
    ],
)
def test_a_set_up_fee_is_charged_when_the_contract_takes_effect_in_the_quoted_days(
    effective_from: str, narrowed: dict[str, str], charged: bool
) -> None:
    fee = {"id": "setup", "name": "Set-up", "amount": "250.00", "every": "once"}
    contract = {**CONTRACT, "effective_from": effective_from, "fee": [fee]}
    answer = quote({"contract": contract, "period": "2026-03", **narrowed})
    assert ("250.00" in [line["amount"] for line in answer["lines"]]) is charged


def test_minutes_are_counted_by_their_increments_and_the_minimum_is_filled_up() -> None:
    contract = {**CONTRACT, "usage": [SUPPORT], "minimum": {"amount": "10.00"}, "tax": {}}
    answer = quote(asked(call("a", talk_ms=61000), call("b", talk_ms=10000), contract=contract))
    # 61 s at 60/6 is 66 s, 10 s is 60 s: 126 s are 2.1 minutes, × 0.95 = 1.995.
    usage, true_up = answer["lines"]
    assert (usage["quantity"], usage["unit"], usage["amount"]) == ("2.1", "minute", "2.00")
    assert (true_up["kind"], true_up["charge"], true_up["amount"]) == ("minimum", "minimum", "8.00")
    assert answer["total"] == "10.00"


def test_minutes_by_quantity_say_nothing_of_calls() -> None:
    contract = {**CONTRACT, "usage": [SUPPORT], "tax": {}}
    answer = quote({"contract": contract, "period": "2026-03", "quantity": {"support": "123.5"}})
    assert answer["lines"][0]["amount"] == "117.33"
    assert answer["calls"] == {"received": 0, "billable": 0, "not_billable": {}}


def test_calls_that_are_not_billed_are_told_with_their_reason() -> None:
    calls = [
        call("a"),
        call("b", disposition="abandoned", talk_ms=None),
        call("c", flags=["spam"]),
        call("d", disposition="voicemail"),
    ]
    answer = quote(asked(*calls))
    assert answer["calls"] == {
        "received": 4,
        "billable": 1,
        "not_billable": {"disposition": 2, "flag_spam": 1},
    }


def test_only_calls_of_the_quoted_days_count_by_the_contracts_clock() -> None:
    calls = [
        call("before", "2026-03-01T04:59:59Z"),  # still February in New York
        call("first", "2026-03-01T05:00:00Z"),
        call("last", "2026-04-01T03:59:59.999Z"),  # in summer time now
        call("after", "2026-04-01T04:00:00Z"),
    ]
    assert quote(asked(*calls))["calls"]["received"] == 2
    assert price(asked(*calls)).outside == 2
    assert quote(asked(*calls, until="2026-03-31"))["calls"]["received"] == 1


def test_a_call_delivered_again_bills_once() -> None:
    answer = quote(
        asked(call("a"), call("b"), call("a"), call("a", source="other"), call("a", company="acme"))
    )
    assert answer["calls"]["received"] == 4


def test_free_short_calls_are_counted_for_each_company() -> None:
    contract = {**CONTRACT, "billable": {"free_short_calls": {"under_seconds": 30, "per_period": 1}}}
    calls = [call(f"{name}{number}", talk_ms=1000, company=name) for name in "ab" for number in range(2)]
    answer = quote(asked(*calls, contract=contract))
    assert answer["calls"] == {"received": 4, "billable": 2, "not_billable": {"free_short_call": 2}}


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


def test_what_cannot_be_priced_yet_is_refused_with_its_place_and_never_ignored() -> None:
    example = tomllib.loads(EXAMPLE)
    refused = [(problem.path, problem.message) for problem in unpriced(read_terms(example))]
    answer = quote({"contract": example, "period": "2026-03"})
    told = [(error["path"], error["message"]) for error in answer.get("error", {}).get("errors", [])]
    assert told == refused
    assert ("lines" in answer) is (not refused)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts())
def test_any_valid_contract_is_priced_or_refused_with_places(contract: dict[str, Any]) -> None:
    answer = quote({"contract": contract, "period": "2026-03"})
    if "error" in answer:
        assert all(error["path"] and error["message"] for error in answer["error"]["errors"])
    else:
        assert [line["charge"] for line in answer["lines"] if line["kind"] == "usage"] == [
            charge["id"] for charge in contract["usage"]
        ]
    json.dumps(answer)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_json_whatever_raises(data: st.DataObject) -> None:
    request: Any = {
        "contract": tomllib.loads(EXAMPLE) if data.draw(st.booleans()) else copy.deepcopy(CONTRACT),
        "period": "2026-03",
        "from": "2026-03-02",
        "calls": [call("a", flags=["spam"])],
    }
    for _ in range(data.draw(st.integers(1, 4))):
        at = request
        while isinstance(at, dict | list) and at:
            key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at)))))
            if not isinstance(at[key], dict | list) or data.draw(st.booleans()):
                at[key] = data.draw(anything)
                break
            at = at[key]
    answer = quote(request)
    assert ("error" in answer) is not ("lines" in answer)


@given(anything)
def test_no_request_whatever_raises(request: Any) -> None:
    assert errors(request)
