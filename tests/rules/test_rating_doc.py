"""Runs every worked example of docs/rating.md, from the document itself.

An example is a heading of the third level with fenced blocks: `toml contract` (a contract file, on top of the
`toml preamble`), `toml next` where other terms hold from a day in the period on, `toml usage` or `text calls`
or both, and `text lines` with what must come out.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callbill.rules.counting import REASONS, Calendars, CallFacts, judge, tally
from callbill.rules.document import read_terms
from callbill.rules.lines import RatedLine, from_json, to_json
from callbill.rules.money import Money, plain
from callbill.rules.period import Part, Period, period_named
from callbill.rules.prices import quantities
from callbill.rules.rating import AdjustmentItem, Quantity, RatingRequest, rate, rate_pool
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated, consolidate
from callbill.rules.treatment import TAXED, Exempt, ReverseCharge, TaxTreatment

DOCUMENT = (Path(__file__).parents[2] / "docs" / "rating.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {"toml contract", "toml next", "toml usage", "text calls", "text lines"}


@dataclass(frozen=True)
class Example:
    """One worked example: its heading and its blocks by name."""

    heading: str
    blocks: Mapping[str, str]


def examples() -> list[Example]:
    found = []
    for section in re.split(r"^### ", DOCUMENT, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        blocks = {f"{language} {name}": text for language, name, text in BLOCK.findall(section)}
        found.append(Example(heading, blocks))
    return found


EXAMPLES = examples()
(PREAMBLE,) = (tomllib.loads(text) for _, name, text in BLOCK.findall(DOCUMENT) if name == "preamble")


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]


def a_call(nth: int, described: str, period: Period) -> CallFacts:
    """A call from "talk 60 s, flags spam, at 2021-01-04T08:00"; call n begins n minutes into the period."""
    facts = dict(part.strip().split(" ", 1) for part in described.split(","))
    started = period.start + timedelta(minutes=nth)
    if at := facts.pop("at", None):
        started = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(period.zone)).astimezone(UTC)
    talk, wrap = (int(Decimal(facts.pop(key, "0 s").removesuffix(" s")) * 1000) for key in ("talk", "wrap"))
    call = CallFacts(
        id=f"{nth:03}",
        started_at=started,
        ended_at=started + timedelta(milliseconds=talk + wrap),
        talk_ms=talk,
        wrap_ms=wrap,
        direction=facts.pop("direction", None),
        from_number=facts.pop("from", None),
        to_number=facts.pop("to", None),
        disposition=facts.pop("disposition", "answered"),
        flags=frozenset(facts.pop("flags", "").split()),
    )
    assert not facts, f"the test does not know {facts}"
    return call


def counted(example: Example, terms: Terms, period: Period, calendars: Calendars) -> dict[str, Quantity]:
    """Judges the calls of the example, each against the verdict written beside it."""
    written = rows(example.blocks["text calls"])
    calls = [a_call(nth, row[0], period) for nth, row in enumerate(written)]
    verdicts = judge(calls, terms, calendars)
    found = {verdict.call.id: verdict for verdict in verdicts}
    for call, row in zip(calls, written, strict=True):
        verdict = found[call.id]
        assert row[1] in REASONS
        got = [verdict.reason] + (
            [verdict.charge_id, str(verdict.billed_seconds)] if verdict.billable else []
        )
        assert got == row[1:], row[0]
    return quantities(tally(verdicts, terms), terms)


def terms_in(example: Example, block: str) -> Terms:
    return read_terms({**PREAMBLE, **tomllib.loads(example.blocks[block])})


def stated(given: Mapping[str, str], terms: Terms) -> dict[str, Quantity]:
    units = {charge.id: charge.unit for charge in terms.usage}
    return {charge: Quantity.stated(Decimal(number), units[charge]) for charge, number in given.items()}


def used_in(example: Example, usage: dict[str, Any], terms: Terms, period: Period) -> dict[str, Quantity]:
    """What was used of each charge, by one of the ways to say it; takes what it knows out of `usage`."""
    calendars = {name: frozenset(days) for name, days in usage.pop("holidays", {}).items()}
    used = counted(example, terms, period, calendars) if "text calls" in example.blocks else {}
    used |= stated(usage.pop("quantity", {}), terms)
    for charge, seconds in usage.pop("seconds", {}).items():
        used[charge] = Quantity(Fraction(seconds, 60), 0)
    for charge, runs in usage.pop("durations", {}).items():
        seconds, calls = sum(s * n for s, n in runs), sum(n for _, n in runs)
        used[charge] = Quantity(Fraction(seconds, 60), calls, tuple((s, n) for s, n in runs))
    return used


def treatment_in(usage: dict[str, Any]) -> TaxTreatment:
    if "exempt" in usage:
        return Exempt(**usage.pop("exempt"))
    if "reverse_charge" in usage:
        return ReverseCharge(**usage.pop("reverse_charge"))
    return TAXED


def first_request(
    example: Example, usage: dict[str, Any], terms: Terms, period: Period, end: date | None
) -> RatingRequest:
    advance = usage.pop("advance_for", None)
    return RatingRequest(
        terms=terms,
        period=period,
        span=period.part(usage.pop("from", period.first_day), end or period.end_day),
        quantities=used_in(example, usage, terms, period),
        once_fees=frozenset(usage.pop("once", ())),
        advance_for=advance and (Part.all_of(period_named(advance, terms.billing_day, terms.time_zone)),),
        adjustments=tuple(
            AdjustmentItem(
                str(index),
                item["name"],
                Money.of(item["amount"], terms.currency).minor,
                charge=item.get("charge"),
            )
            for index, item in enumerate(usage.pop("adjustment", ()))
        ),
        quantity_history={
            name: tuple((date.fromisoformat(day), Decimal(value)) for day, value in days.items())
            for name, days in usage.pop("history", {}).items()
        },
        closes_period=end is None,
        tax_treatment=treatment_in(usage),
    )


def priced(example: Example) -> list[Rated]:
    """The sections of the invoice: a company's part of the period each."""
    terms = terms_in(example, "toml contract")
    usage: dict[str, Any] = tomllib.loads(example.blocks.get("toml usage", 'period = "2021-01"'))
    period = period_named(usage.pop("period"), terms.billing_day, terms.time_zone)
    following = terms_in(example, "toml next") if "toml next" in example.blocks else None
    request = first_request(example, usage, terms, period, following and following.effective_from)
    companies = [stated(given, terms) for given in usage.pop("companies", ())]
    rated = rate_pool([replace(request, quantities=each) for each in companies] or [request])
    if following:
        earlier = Counter[str]()
        for line in rated[0].lines:
            earlier[line.charge] += line.charged
        rest = replace(
            request,
            terms=following,
            span=period.part(following.effective_from, period.end_day),
            quantities=stated(usage.pop("then"), following),
            closes_period=True,
            earlier_spend=earlier,
        )
        rated.append(rate(rest))
    assert not usage, f"the test does not know {usage}"
    return consolidate(rated)


def as_written(line: RatedLine, also: list[str]) -> list[str]:
    """The line as a row of the document, with those extras that the document gives for it."""
    extras = {
        "for": f"for {line.period.label}",
        "tax": f"tax {line.money(line.tax)}",
        "discount": f"discount {line.money(line.discount)}",
    }
    row = [line.kind, line.name, line.quantity_text, line.money(line.amount)]
    return row + [extras[extra.partition(" ")[0]] for extra in also]


def sums(sections: list[Rated], names: list[str]) -> list[list[str]]:
    figures = {
        name: plain(sum(getattr(section, name) for section in sections), sections[0].currency)
        for name in ("subtotal", "tax", "total")
    }
    figures["note"] = sections[0].tax_note
    return [[name, figures[name]] for name in names]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.heading)
def test_the_example_comes_out_as_written(example: Example) -> None:
    assert set(example.blocks) <= KINDS
    sections = priced(example)
    got = [line for section in sections for line in section.lines]
    written = rows(example.blocks["text lines"])
    lines, totals = [row for row in written if len(row) > 2], [row for row in written if len(row) == 2]
    assert len(got) == len(lines)
    found = [as_written(line, row[4:]) for line, row in zip(got, lines, strict=True)]
    assert found + sums(sections, [row[0] for row in totals]) == lines + totals
    names = [row[0] for row in totals]
    if any(section.tax for section in sections):
        assert names[:3] == ["subtotal", "tax", "total"]
    assert "total" in names
    assert ("note" in names) is bool(sections[0].tax_note)
    for line in got:
        assert from_json(json.loads(json.dumps(to_json(line)))) == line


def test_the_document_has_its_examples() -> None:
    assert len(EXAMPLES) >= 49
    assert DOCUMENT.count("```") == 2 * len(BLOCK.findall(DOCUMENT))
    assert sum(len(example.blocks) for example in EXAMPLES) + 1 == len(BLOCK.findall(DOCUMENT))
