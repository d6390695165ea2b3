"""Runs every worked example of docs/rating.md, from the document itself.

An example is a heading of the third level with fenced blocks: `toml contract` (a contract file, on top of the
`toml preamble`), `toml usage` or `text calls` or both, and `text lines` with what must come out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callbill.rules.counting import REASONS, CallFacts, judge, tally
from callbill.rules.document import read_terms
from callbill.rules.lines import RatedLine
from callbill.rules.money import Money, plain
from callbill.rules.period import Part, Period, period_named
from callbill.rules.prices import quantities
from callbill.rules.rating import AdjustmentItem, Quantity, RatingRequest, rate
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated

DOCUMENT = (Path(__file__).parents[2] / "docs" / "rating.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {"toml contract", "toml usage", "text calls", "text lines"}


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


def counted(example: Example, terms: Terms, period: Period) -> dict[str, Quantity]:
    """Judges the calls of the example, each against the verdict written beside it."""
    written = rows(example.blocks["text calls"])
    calls = [a_call(nth, row[0], period) for nth, row in enumerate(written)]
    verdicts = judge(calls, terms)
    found = {verdict.call.id: verdict for verdict in verdicts}
    for call, row in zip(calls, written, strict=True):
        verdict = found[call.id]
        assert row[1] in REASONS
        got = [verdict.reason] + (
            [verdict.charge_id, str(verdict.billed_seconds)] if verdict.billable else []
        )
        assert got == row[1:], row[0]
    return quantities(tally(verdicts, terms), terms)


def request_of(example: Example) -> RatingRequest:
    terms = read_terms({**PREAMBLE, **tomllib.loads(example.blocks["toml contract"])})
    usage: dict[str, Any] = tomllib.loads(example.blocks.get("toml usage", 'period = "2021-01"'))
    period = period_named(usage.pop("period"), terms.billing_day, terms.time_zone)
    used: dict[str, Quantity] = {}
    if "text calls" in example.blocks:
        used = counted(example, terms, period)
    units = {charge.id: charge.unit for charge in terms.usage}
    for charge, stated in usage.pop("quantity", {}).items():
        used[charge] = Quantity.stated(Decimal(stated), units[charge])
    for charge, seconds in usage.pop("seconds", {}).items():
        used[charge] = Quantity(Fraction(seconds, 60), 0)
    advance = usage.pop("advance_for", None)
    request = RatingRequest(
        terms=terms,
        period=period,
        span=period.part(usage.pop("from", period.first_day), period.end_day),
        quantities=used,
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
    )
    assert not usage, f"the test does not know {usage}"
    return request


def as_written(line: RatedLine, also: list[str]) -> list[str]:
    """The line as a row of the document, with those extras that the document gives for it."""
    extras = {
        "for": f"for {line.period.label}",
        "tax": f"tax {line.money(line.tax)}",
        "discount": f"discount {line.money(line.discount)}",
    }
    row = [line.kind, line.name, line.quantity_text, line.money(line.amount)]
    return row + [extras[extra.partition(" ")[0]] for extra in also]


def sums(rated: Rated, names: list[str]) -> list[list[str]]:
    figures = {"subtotal": rated.subtotal, "tax": rated.tax, "total": rated.total}
    return [[name, plain(figures[name], rated.currency)] for name in names]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.heading)
def test_the_example_comes_out_as_written(example: Example) -> None:
    assert set(example.blocks) <= KINDS
    rated = rate(request_of(example))
    written = rows(example.blocks["text lines"])
    lines, totals = [row for row in written if len(row) > 2], [row for row in written if len(row) == 2]
    assert len(rated.lines) == len(lines)
    got = [as_written(line, row[4:]) for line, row in zip(rated.lines, lines, strict=True)]
    assert got + sums(rated, [row[0] for row in totals]) == lines + totals
    assert totals[-1][0] == "total"
    if rated.tax:
        assert [row[0] for row in totals] == ["subtotal", "tax", "total"]


def test_the_document_has_its_examples() -> None:
    assert len(EXAMPLES) >= 24
    assert DOCUMENT.count("```") == 2 * len(BLOCK.findall(DOCUMENT))
    assert sum(len(example.blocks) for example in EXAMPLES) + 1 == len(BLOCK.findall(DOCUMENT))
