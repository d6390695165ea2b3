"""Every mistake in a contract file is told with its place, what is wrong and what would be right."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from callbill.rules.document import DocumentErrors, read_terms

GOOD: dict[str, Any] = {
    "currency": "USD",
    "time_zone": "America/New_York",
    "effective_from": "2026-01-01",
    "usage": [
        {
            "id": "inbound",
            "name": "Inbound calls",
            "unit": "call",
            "rate": "1.35",
            "scope": {"direction": ["inbound"]},
        },
        {
            "id": "support",
            "name": "Support minutes",
            "unit": "minute",
            "increments": "60/6",
            "tiers": [{"up_to": 100, "rate": "1.20"}, {"up_to": 500, "rate": "1.10"}, {"rate": "1.00"}],
        },
    ],
    "fee": [{"id": "platform", "name": "Platform fee", "amount": "49.00"}],
    "minimum": {"amount": "1000.00", "counts": ["inbound"]},
    "discount": [{"name": "Launch", "percent": "10", "from": "2026-01-01", "until": "2026-06-30"}],
    "tax": {"rate": [{"name": "NY", "percent": "8.875"}, {"name": "City", "percent": "1"}]},
}


def problems(data: Any) -> list[tuple[str, str]]:
    """Path and message of everything wrong with the document."""
    with pytest.raises(DocumentErrors) as caught:
        read_terms(data)
    return [(problem.path, problem.message) for problem in caught.value.problems]


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The good document after `change`."""
    data = copy.deepcopy(GOOD)
    change(data)
    return data


def put(path: str, value: object) -> Callable[[dict[str, Any]], object]:
    """A change that sets what is at a path such as `usage.0.rate`."""

    def change(data: dict[str, Any]) -> None:
        at: Any = data
        *steps, last = path.split(".")
        for step in steps:
            at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
        at[int(last) if last.isdigit() else last] = value

    return change


def drop(path: str) -> Callable[[dict[str, Any]], object]:
    """A change that takes out the key at a path such as `usage.0.rate`."""

    def change(data: dict[str, Any]) -> None:
        at: Any = data
        *steps, last = path.split(".")
        for step in steps:
            at = at[int(step)] if step.isdigit() else at[step]
        del at[last]

    return change


def add(key: str, entry: dict[str, Any]) -> Callable[[dict[str, Any]], object]:
    """A change that adds an entry at the end of a list of tables."""
    return lambda data: data[key].append(entry)


def test_the_good_document_is_good() -> None:
    assert read_terms(GOOD).usage[1].tiers[2].up_to is None


SMS = {"id": "sms", "name": "Summaries", "unit": "call", "rate": "0.10"}

BAD_VALUES = [
    # unknown and missing keys
    (put("curency", "USD"), "curency", "is not a key here"),
    (put("usage.0.rat", "1"), "usage[0].rat", 'did you mean "rate"?'),
    (put("usage.0.incldued", 5), "usage[0].incldued", 'did you mean "included"?'),
    (put("minimum.count", ["inbound"]), "minimum.count", "is not a key"),
    (put("usage.0.scope.weird key\n", []), 'usage[0].scope."weird key\\n"', "is not a key"),
    (drop("currency"), "currency", 'is missing; write the ISO 4217 currency of every amount, as in "USD"'),
    (drop("time_zone"), "time_zone", "is missing"),
    (drop("effective_from"), "effective_from", "is missing"),
    (drop("usage.0.id"), "usage[0].id", "is missing"),
    (drop("usage.1.unit"), "usage[1].unit", 'is missing; write what is priced: "call" or "minute"'),
    (drop("usage.1.tiers.0.rate"), "usage[1].tiers[0].rate", "is missing"),
    (drop("fee.0.amount"), "fee[0].amount", "is missing"),
    (drop("tax.rate.1.percent"), "tax.rate[1].percent", "is missing"),
    # wrong types
    (put("usage", {"id": "x"}), "usage", "in TOML as [[usage]]"),
    (put("usage", "inbound"), "usage", "must be a list of tables"),
    (put("usage.0", "inbound"), "usage[0]", 'is "inbound"; it must be a table with'),
    (put("minimum", "1000.00"), "minimum", "must be a table"),
    (put("billing_day", "1"), "billing_day", "whole number from 1 to 31, without quotes"),
    (put("billing_day", 0), "billing_day", "is the number 0; it must be a whole number from 1 to 31"),
    (put("billing_day", 32), "billing_day", "from 1 to 31"),
    (put("billing_day", True), "billing_day", "is true; it must be a whole number"),
    (put("late_window_days", 1.5), "late_window_days", "whole number"),
    (put("usage.0.prorate", "yes"), "usage[0].prorate", "must be true or false, without quotes"),
    (put("usage.0.name", 5), "usage[0].name", "must be text in quotes"),
    (put("usage.0.name", ""), "usage[0].name", "is empty"),
    (put("usage.0.name", " Inbound"), "usage[0].name", "space at its ends"),
    (put("usage.0.name", "a\nb"), "usage[0].name", "line break or control character"),
    (put("usage.0.name", "a\x00b"), "usage[0].name", "control character"),
    (put("usage.0.name", "a\ud800b"), "usage[0].name", "control character"),
    (put("usage.0.name", "x" * 201), "usage[0].name", "has 201 characters; at most 200"),
    (put("usage.0.tax_code", None), "usage[0].tax_code", "is null"),
    (put("usage.0.scope.direction", "inbound"), "usage[0].scope.direction", 'in brackets: ["inbound"]'),
    (put("usage.0.scope.direction", []), "usage[0].scope.direction", "is an empty list"),
    (put("usage.0.scope.service", ["a", "b", "a"]), "usage[0].scope.service[2]", "a second time"),
    # decimals
    (put("usage.0.rate", 1.35), "usage[0].rate", 'is the number 1.35; write it in quotes, as in "1.35"'),
    (put("usage.0.rate", 2), "usage[0].rate", 'write it in quotes, as in "2"'),
    (put("usage.0.rate", 1e-7), "usage[0].rate", 'write it in quotes, as in "0.0000001"'),
    (put("usage.0.rate", float("nan")), "usage[0].rate", "write it in quotes"),
    (put("usage.0.rate", True), "usage[0].rate", "must be a decimal in quotes"),
    (put("usage.0.rate", "1,35"), "usage[0].rate", "plain decimal of digits and one point"),
    (put("usage.0.rate", "$1.35"), "usage[0].rate", "plain decimal"),
    (put("usage.0.rate", "1e3"), "usage[0].rate", "plain decimal"),
    (put("usage.0.rate", "١.٣"), "usage[0].rate", "plain decimal"),
    (put("usage.0.rate", "1.35\n"), "usage[0].rate", "plain decimal"),
    (put("usage.0.rate", "NaN"), "usage[0].rate", "plain decimal"),
    (put("usage.0.rate", "01.35"), "usage[0].rate", "take away the zero"),
    (put("usage.0.rate", "-1.35"), "usage[0].rate", "must not be negative"),
    (put("usage.0.rate", "0.1234567890123"), "usage[0].rate", "has 13 decimals; at most 12"),
    (put("usage.0.rate", "1" * 16), "usage[0].rate", "at most 15 digits"),
    (put("usage.1.tiers.1.rate", 1.1), "usage[1].tiers[1].rate", "write it in quotes"),
    (put("tax.rate.1.percent", "100.5"), "tax.rate[1].percent", "must be from 0 to 100"),
    (put("discount.0.percent", "101"), "discount[0].percent", "must be from 0 to 100"),
    (put("billable", {"exclude_cap_percent": "120"}), "billable.exclude_cap_percent", "from 0 to 100"),
    (put("fee.0.quantity", 1.5), "fee[0].quantity", 'write it in quotes, as in "1.5"'),
    (put("fee.0.quantity", -1), "fee[0].quantity", "must not be negative"),
    (put("fee.0.quantity", {"by": "most", "of": "seats"}), "fee[0].quantity.by", '"maximum"'),
    (put("usage.1.included", "x"), "usage[1].included", "plain decimal"),
    (put("usage.1.tiers.0.up_to", 0), "usage[1].tiers[0].up_to", "more than 0"),
    # amounts that stand on the invoice have the currency's decimals
    (put("minimum.amount", "1000.001"), "minimum.amount", "USD has 2 decimals"),
    (put("fee.0.amount", "49.001"), "fee[0].amount", "USD has 2 decimals"),
    (put("usage.0.minimum", "0.001"), "usage[0].minimum", "USD has 2 decimals"),
    # codes, dates and times
    (put("currency", "usd"), "currency", 'did you mean "USD"?'),
    (put("currency", "XXY"), "currency", "not an ISO 4217 currency"),
    (put("time_zone", "America/New_Yrok"), "time_zone", 'did you mean "America/New_York"?'),
    (put("time_zone", "America"), "time_zone", "not an IANA time zone"),
    (put("time_zone", "../../etc/passwd"), "time_zone", "not an IANA time zone"),
    (put("time_zone", "localtime"), "time_zone", "not an IANA time zone"),
    (put("effective_from", "2026-02-31"), "effective_from", "no such day in the calendar"),
    (put("effective_from", "1.1.2026"), "effective_from", "must be a date, as in 2026-01-31"),
    (put("effective_from", "20260101"), "effective_from", "must be a date"),
    (put("effective_from", datetime(2026, 1, 1, tzinfo=UTC)), "effective_from", "must be a date"),
    (put("effective_from", "1812-01-01"), "effective_from", "year must be from 1970"),
    (put("usage.0.scope", {"from": "25:00", "until": "08:00"}), "usage[0].scope.from", "no such time of day"),
    (
        put("usage.0.scope", {"from": "18:00", "until": "24:00"}),
        "usage[0].scope.until",
        'midnight is "00:00"',
    ),
    (
        put("usage.0.scope", {"from": "8", "until": "18:00"}),
        "usage[0].scope.from",
        'a time of day, as in "08:00"',
    ),
    # words from a list
    (put("payer", "person"), "payer", 'must be "company" or "organization"'),
    (put("usage.0.unit", "minutes"), "usage[0].unit", 'did you mean "minute"?'),
    (put("billable", {"dispositions": ["answerd"]}), "billable.dispositions[0]", 'mean "answered"?'),
    (put("billable", {"dispositions": []}), "billable.dispositions", "is an empty list"),
    (put("billable", {"exclude_flags": ["scam"]}), "billable.exclude_flags[0]", '"robocall"'),
    (put("billable", {"anchor": "answered_at"}), "billable.anchor", '"started_at" or "ended_at"'),
    (put("usage.0.scope.weekdays", ["monday"]), "usage[0].scope.weekdays[0]", '"mon"'),
    (put("usage.0.scope.number", ["15550101"]), "usage[0].scope.number[0]", "E.164"),
    (put("usage.0.scope.prefix", ["001"]), "usage[0].scope.prefix[0]", "E.164"),
    (put("billable", {"test_numbers": ["+1 555 0100"]}), "billable.test_numbers[0]", "E.164"),
    (put("usage.1.increments", "60"), "usage[1].increments", "initial/increment in whole seconds"),
    (put("usage.1.increments", "0/6"), "usage[1].increments", "initial/increment"),
    (put("usage.1.increments", "60/0"), "usage[1].increments", "initial/increment"),
    (put("usage.0.id", "in bound"), "usage[0].id", "letters, digits"),
]

BAD_COMBINATIONS = [
    (drop("usage.0.rate"), "usage[0].rate", 'exactly one of "rate", "tiers" or "package"'),
    (put("usage.0.package", {"size": 10, "rate": "1"}), "usage[0].package", 'stands beside "rate"'),
    (put("discount.0.amount", "5.00"), "discount[0].amount", 'only one of "percent" or "amount"'),
    (drop("discount.0.percent"), "discount[0].percent", "exactly one of"),
    (put("usage.0.scope.from", "08:00"), "usage[0].scope.until", "both are needed"),
    (put("usage.0.scope.until", "08:00"), "usage[0].scope.from", "both are needed"),
    (
        lambda data: data["usage"][0]["scope"].update({"from": "08:00", "until": "08:00"}),
        "usage[0].scope.until",
        "no call fits",
    ),
    (put("usage.1.id", "inbound"), "usage[1].id", "every charge and fee needs its own"),
    (put("fee.0.id", "inbound"), "fee[0].id", "which usage[0].id is too"),
    (put("fee.0.id", "minimum"), "fee[0].id", "choose another id"),
    (put("fee.0.id", "discount-1"), "fee[0].id", "choose another id"),
    (lambda data: data["fee"][0].update(every="once", prorate=True), "fee[0].prorate", "charged once"),
    (put("usage.1.tiers.2.up_to", 900), "usage[1].tiers[2].up_to", "the last tier is open"),
    (drop("usage.1.tiers.0.up_to"), "usage[1].tiers[0].up_to", "only the last tier is open"),
    (put("usage.1.tiers.1.up_to", 100), "usage[1].tiers[1].up_to", "the tier before ends at 100"),
    (put("usage.1.tiers.1.up_to", "99.5"), "usage[1].tiers[1].up_to", "must reach further"),
    (put("usage.1.tiers", []), "usage[1].tiers", "is an empty list"),
    (put("usage.0.tier_mode", "volume"), "usage[0].tier_mode", "a charge without tiers"),
    (put("usage.0.increments", "60/6"), "usage[0].increments", "in a charge per call"),
    (
        lambda data: data["usage"][0].update(minimum="10.00", maximum="9.99"),
        "usage[0].maximum",
        "less than the minimum",
    ),
    (put("minimum.counts", ["inbund"]), "minimum.counts[0]", 'did you mean "inbound"?'),
    (put("minimum.counts", ["zz"]), "minimum.counts[0]", '"inbound", "support" and "platform"'),
    (put("discount.0.applies_to", ["x"]), "discount[0].applies_to[0]", "the charges and fees are"),
    (put("tax.rate.1.applies_to", ["support", "zz"]), "tax.rate[1].applies_to[1]", "which is not there"),
    (put("discount.0.until", "2025-12-31"), "discount[0].until", "before from, which is 2026-01-01"),
    (add("usage", {**SMS, "unit": "minute"}), "usage[2].scope", 'the same as that of "support"'),
    (
        add("usage", {**SMS, "scope": {"queue": ["a"]}}),
        "usage[2].scope",
        '"support" before it takes them all',
    ),
    (
        add("usage", {**SMS, "scope": {"direction": ["inbound"]}}),
        "usage[2].scope",
        'the same as that of "inbound"',
    ),
]


@pytest.mark.parametrize(("change", "path", "phrase"), BAD_VALUES + BAD_COMBINATIONS)
def test_one_mistake_is_told_once_with_its_place(
    change: Callable[[dict[str, Any]], object], path: str, phrase: str
) -> None:
    found = problems(changed(change))
    assert [place for place, _ in found] == [path]
    assert phrase in found[0][1]


@pytest.mark.parametrize("data", [None, [], "currency = 'USD'", 5])
def test_something_that_is_no_table_is_told_so(data: object) -> None:
    assert "it must be a table with" in problems(data)[0][1]


def test_all_mistakes_are_told_at_once_and_a_wrong_id_makes_no_false_ones() -> None:
    data = changed(put("usage.0.rate", 1.35))
    put("usage.0.id", "in bound")(data)
    put("time_zone", "Mars/Base")(data)
    put("tax.rate.1.percent", 5)(data)
    put("usage.1.tiers.1.up_to", 50)(data)
    assert [path for path, _ in problems(data)] == [
        "time_zone",
        "usage[0].id",
        "usage[0].rate",
        "tax.rate[1].percent",
        "usage[1].tiers[1].up_to",
    ]


def test_a_currency_without_decimals_takes_none_in_amounts_but_in_rates() -> None:
    data = changed(put("currency", "JPY"))
    found = problems(data)
    assert [path for path, _ in found] == ["minimum.amount", "fee[0].amount"]
    assert all("JPY has no decimals" in message for _, message in found)
    put("minimum.amount", "1000")(data)
    put("fee.0.amount", "49")(data)
    assert format(read_terms(data).usage[0].rate or 0, "f") == "1.35"


def test_a_fee_with_a_quantity_may_cost_a_fraction_of_a_cent_each() -> None:
    data = changed(put("fee.0.amount", "0.005"))
    put("fee.0.quantity", 1000)(data)
    assert format(read_terms(data).fees[0].amount, "f") == "0.005"


SCOPES_THAT_LIVE_TOGETHER = [
    ({"queue": ["a"]}, {"queue": ["b"]}),
    ({"queue": ["a"]}, {"queue": ["a", "b"]}),
    ({"direction": ["inbound"]}, {"queue": ["a"]}),
    ({"from": "08:00", "until": "18:00"}, {"from": "18:00", "until": "08:00"}),
    ({"from": "08:00", "until": "18:00"}, {"from": "17:00", "until": "19:00"}),
    ({"weekdays": ["sat", "sun"]}, {}),
    ({"holidays": "us-federal"}, {}),
    ({"prefix": ["+1212"]}, {"prefix": ["+1"]}),
    # The longest prefix wins wherever it stands, so a prefix is reached past a charge that takes the rest.
    ({"prefix": ["+1"]}, {"prefix": ["+1212"]}),
    ({}, {"prefix": ["+1"]}),
]

SCOPES_THAT_DO_NOT = [
    ({}, {"queue": ["a"]}),
    ({"queue": ["a", "b"]}, {"queue": ["b", "a"]}),
    ({"queue": ["a", "b"]}, {"queue": ["b"]}),
    ({"queue": ["a"]}, {"queue": ["a"], "direction": ["inbound"]}),
    ({"from": "08:00", "until": "18:00"}, {"from": "09:00", "until": "17:00"}),
    ({"from": "18:00", "until": "08:00"}, {"from": "22:00", "until": "06:00"}),
    ({"from": "18:00", "until": "08:00"}, {"from": "19:00", "until": "20:00"}),
    ({"prefix": ["+1212", "+1"]}, {"prefix": ["+1212"]}),
    ({}, {"holidays": "us-federal"}),
]


def two_charges(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """A contract with two charges of these scopes."""
    charges = [{**SMS, "id": "a", "scope": first}, {**SMS, "id": "b", "scope": second}]
    return {key: GOOD[key] for key in ("currency", "time_zone", "effective_from")} | {"usage": charges}


@pytest.mark.parametrize(("first", "second"), SCOPES_THAT_LIVE_TOGETHER)
def test_charges_that_both_get_calls_are_accepted(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert [charge.id for charge in read_terms(two_charges(first, second)).usage] == ["a", "b"]


@pytest.mark.parametrize(("first", "second"), SCOPES_THAT_DO_NOT)
def test_a_charge_that_no_call_can_reach_is_refused(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert [path for path, _ in problems(two_charges(first, second))] == ["usage[1].scope"]


def test_toml_dates_and_times_and_their_text_mean_the_same() -> None:
    text = """
        currency = "EUR"
        time_zone = "Europe/Berlin"
        effective_from = 2026-01-01
        [[usage]]
        id = "night"
        name = "Night"
        unit = "call"
        rate = "2.00"
        scope = { from = 18:00:00, until = 08:00:30 }
    """
    read = read_terms(tomllib.loads(text))
    assert read.effective_from == date(2026, 1, 1)
    assert (read.usage[0].scope.from_time, read.usage[0].scope.until_time) == (time(18), time(8, 0, 30))
    in_quotes = text.replace("2026-01-01", '"2026-01-01"').replace("18:00:00", '"18:00"')
    assert read_terms(tomllib.loads(in_quotes.replace("08:00:30", '"08:00:30"'))) == read


def test_numbers_out_of_json_that_no_float_can_hold_are_told_in_short() -> None:
    found = problems(changed(put("usage.0.rate", json.loads("1" + "0" * 400))))
    assert found[0][0] == "usage[0].rate"
    assert len(found[0][1]) < 200
