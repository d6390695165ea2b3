"""Export then import changes nothing, in JSON and in TOML, to the last digit as typed."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from callbill.rules.document import read_terms, terms_to_toml, warnings_of, write_terms
from callbill.rules.terms import Increments, Terms, Tier, UsageCharge
from tests.rules.contracts import EXAMPLE, contracts


def example() -> Terms:
    """The terms of the full example of the contract file."""
    return read_terms(tomllib.loads(EXAMPLE))


def texts(value: object) -> list[str]:
    """Every decimal in a frozen value, as text with its digits."""
    if isinstance(value, Decimal):
        return [format(value, "f")]
    if isinstance(value, tuple):
        return [text for entry in value for text in texts(entry)]
    slots = getattr(value, "__dataclass_fields__", {})
    return [text for slot in slots for text in texts(getattr(value, slot))]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts())
def test_writing_then_reading_changes_nothing(document: dict[str, Any]) -> None:
    terms = read_terms(document)
    image = json.loads(json.dumps(write_terms(terms)))
    from_toml = read_terms(tomllib.loads(terms_to_toml(terms)))
    for again in (read_terms(image), from_toml):
        assert again == terms
        assert texts(again) == texts(terms)
    assert write_terms(from_toml) == image


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts())
def test_everything_given_is_written(document: dict[str, Any]) -> None:
    image = write_terms(read_terms(document))
    for given_charge, written in zip(document["usage"], image.get("usage", []), strict=True):
        for key in ("id", "name", "unit", "rate", "package", "connection_fee", "scope"):
            assert written.get(key) == given_charge.get(key)
        # A whole quantity in quotes is the same quantity without, and flat = "0" is what holds anyway.
        assert str(written.get("included")) == str(given_charge.get("included"))
        plain_tiers = [{"flat": "0", **tier} for tier in given_charge.get("tiers", [])]
        assert [{"flat": "0", **tier} for tier in written.get("tiers", [])] == plain_tiers


def test_the_full_example_says_what_it_says() -> None:
    terms = example()
    assert (terms.currency, terms.billing_day, terms.effective_from) == ("USD", 1, date(2026, 1, 1))
    assert [charge.id for charge in terms.usage] == ["inbound", "support", "sms"]
    assert terms.usage[1].increments == Increments(60, 6)
    assert terms.usage[1].tiers[1] == Tier(Decimal(5000), Decimal("1.00"), Decimal("3.00"))
    assert terms.usage[1].tiers[2].up_to is None
    assert [fee.every for fee in terms.fees] == ["month", "once"]
    assert terms.minimum is not None
    assert terms.minimum.counts == ("inbound", "support")
    assert terms.tax.rates[0].percent == Decimal("8.875")


def test_the_full_example_is_written_as_its_author_would() -> None:
    text = terms_to_toml(example())
    assert "effective_from = 2026-01-01\n" in text
    assert '\n[[usage]]\nid = "inbound"\nname = "Inbound calls"\n' in text
    assert '\n  { up_to = 5000, rate = "1.00", flat = "3.00" },\n' in text
    assert 'package = { size = 100, rate = "10.00" }' in text
    assert text.index("[usage.scope]") < text.index('id = "support"') < text.index("[[fee]]")


def test_a_stored_contract_does_not_hang_on_the_defaults_of_a_later_version() -> None:
    least = {"currency": "EUR", "time_zone": "UTC", "effective_from": date(2026, 1, 1)}
    image = write_terms(read_terms(least))
    assert image["late_window_days"] == 90
    assert image["payment_terms_days"] == 14
    assert image["billable"]["exclude_flags"] == ["spam", "test", "wrong_number", "internal"]
    assert image["tax"] == {"behavior": "exclusive"}


def test_decimals_are_written_as_they_were_typed_and_never_with_an_exponent() -> None:
    data = tomllib.loads(EXAMPLE)
    data["usage"][0]["rate"] = "1.350"
    data["usage"][1]["tiers"][0]["flat"] = "0.00"
    data["fee"][0]["quantity"] = "1.0"
    data["usage"][2]["package"]["rate"] = "0.000000000001"
    image = write_terms(read_terms(data))
    assert image["usage"][0]["rate"] == "1.350"
    assert image["usage"][1]["tiers"][0]["flat"] == "0.00"
    assert image["fee"][0]["quantity"] == "1.0"
    assert image["usage"][2]["package"]["rate"] == "0.000000000001"


def volume(unit: str, *tiers: tuple[int | None, str, str]) -> Terms:
    """The example with a single charge of volume tiers."""
    charge = UsageCharge(
        id="a",
        name="A",
        unit="minute" if unit == "minute" else "call",
        tier_mode="volume",
        tiers=tuple(
            Tier(None if bound is None else Decimal(bound), Decimal(rate), Decimal(flat))
            for bound, rate, flat in tiers
        ),
    )
    return replace(example(), usage=(charge,))


@pytest.mark.parametrize(
    ("unit", "tiers", "warned"),
    [
        ("call", [(1000, "1.20", "0"), (None, "1.00", "0")], ["usage[0].tiers[1].rate"]),
        ("call", [(1000, "1.20", "0"), (None, "1.00", "200.00")], []),
        # 1000 × 1.20 = 1200; 1001 × 1.1995 = 1200.6995: one call more does cost more.
        ("call", [(1000, "1.20", "0"), (None, "1.1995", "0")], []),
        ("minute", [(1000, "1.20", "0"), (None, "1.1995", "0")], ["usage[0].tiers[1].rate"]),
        ("call", [(10, "1", "0"), (20, "2", "0"), (None, "1", "0")], ["usage[0].tiers[2].rate"]),
    ],
)
def test_volume_tiers_that_make_more_calls_cheaper_are_warned_of(
    unit: str, tiers: list[tuple[int | None, str, str]], warned: list[str]
) -> None:
    assert [problem.path for problem in warnings_of(volume(unit, *tiers))] == warned


def test_a_warning_shows_the_two_sums() -> None:
    (problem,) = warnings_of(volume("call", (1000, "1.20", "0"), (None, "1.00", "0")))
    assert "1000 calls cost 1200 and 1001 cost 1001: more calls are cheaper" in problem.message


def test_a_warning_counts_the_included_units_and_whole_calls() -> None:
    terms = volume("call", (1000, "1.20", "0"), (None, "1.00", "0"))
    charge = replace(terms.usage[0], included=Decimal("500.5"))
    (problem,) = warnings_of(replace(terms, usage=(charge,)))
    assert "1500 calls cost 1199.4 and 1501 cost 1000.5: more calls are cheaper" in problem.message


def test_the_full_example_has_two_things_to_look_at_again() -> None:
    assert [problem.path for problem in warnings_of(example())] == ["usage[1].pooled", "usage[2].scope"]


def test_a_contract_that_bills_nothing_is_warned_of() -> None:
    least = {"currency": "EUR", "time_zone": "UTC", "effective_from": "2026-01-01"}
    assert [problem.path for problem in warnings_of(read_terms(least))] == ["usage"]
