"""One world priced twice: by the oracle and by the program; what differs, in words."""

from __future__ import annotations

import re
from datetime import datetime
from random import Random
from typing import Any

from callbill.rules.counting import CallFacts, Verdict, anchor_instant, judge, tally
from callbill.rules.document import DocumentErrors, read_terms
from callbill.rules.lines import RatedLine
from callbill.rules.period import Part, Period, period_named
from callbill.rules.prices import quantities
from callbill.rules.rating import AdjustmentItem, RatingRequest, rate
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated, consolidate
from callbill.rules.unpriced import unpriced
from tests.oracle.invoice import Line, Section, World, invoice
from tests.oracle.worlds import draw_world


def facts(call: dict[str, Any]) -> CallFacts:
    """The call as the program knows it."""
    plain = {key: value for key, value in call.items() if key not in ("started_at", "ended_at", "flags")}
    return CallFacts(
        **{**plain, "wrap_ms": call["wrap_ms"] or 0},
        started_at=datetime.fromisoformat(call["started_at"]),
        ended_at=datetime.fromisoformat(call["ended_at"]),
        flags=frozenset(call["flags"]),
    )


def without_unpriced(document: dict[str, Any]) -> set[str]:
    """Take out of the contract what the program refuses to price; the keys that were taken."""
    taken = set()
    while problems := unpriced(read_terms(document)):
        for problem in problems:
            *way, last = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", problem.path)]
            table: Any = document
            for step in way:
                table = table[step]
            table.pop(last, None)
            taken.add(re.sub(r"\[\d+\]", "", problem.path))
        for charge in document["usage"]:
            if not {"rate", "tiers", "package"} & set(charge):
                charge["rate"] = "1"
                charge.pop("tier_mode", None)
        for said in document["discount"]:
            if not {"percent", "amount"} & set(said):
                said["percent"] = "10"
    return taken


def valid_world(random: Random) -> World:
    """A world whose contract the program reads and prices; ties in scope are drawn again."""
    while True:
        world = draw_world(random)
        try:
            without_unpriced(world.contract)
        except DocumentErrors as refused:
            if any(not problem.path.endswith(".scope") for problem in refused.problems):
                raise
            continue
        return world


def program(world: World) -> tuple[list[list[Verdict]], list[Rated]]:
    """The verdicts and the rated sections, company by company."""
    terms = read_terms(world.contract)
    period = period_named(world.month, terms.billing_day, terms.time_zone)
    span = Period(*world.billed, terms.time_zone)
    verdicts, rated = [], []
    for company in world.companies:
        calls = [facts(call) for call in company["calls"]]
        here = [call for call in calls if span.contains(anchor_instant(call, terms.billable))]
        verdicts.append(judge(here, terms))
        rated.append(rate(_request(world, company, terms, period, verdicts[-1])))
    return verdicts, consolidate(rated)


def _request(
    world: World, company: dict[str, Any], terms: Terms, period: Period, judged: list[Verdict]
) -> RatingRequest:
    """What the program is asked for one company."""
    advance = world.advance_for
    zone = terms.time_zone
    return RatingRequest(
        terms=terms,
        period=period,
        span=Period(*world.billed, zone),
        quantities=quantities(tally(judged, terms), terms),
        advance_for=None
        if advance is None
        else tuple(Part(Period(*days, zone), Period(*whole, zone)) for days, whole in advance),
        once_fees=frozenset(world.once),
        adjustments=tuple(
            AdjustmentItem(item["id"], item["id"], item["amount"], item["taxable"], item["charge"])
            for item in company["adjustments"]
        ),
    )


def differences(world: World) -> list[str]:
    """Every difference between the oracle and the program, in words; none if they agree to the cent."""
    ours = invoice(world)
    verdicts, theirs = program(world)
    found = []
    for place, (section, judged, rated) in enumerate(zip(ours, verdicts, theirs, strict=True)):
        found += [f"company {place}: {words}" for words in _section(section, judged, rated, world)]
    return found


def _section(section: Section, judged: list[Verdict], rated: Rated, world: World) -> list[str]:
    """Differences in one company's section."""
    found = []
    counted = section.counted
    reasons = {verdict.call.id: verdict.reason for verdict in judged}
    for call, reason in counted.reasons.items():
        if reasons.pop(call, None) != reason:
            found.append(f"call {call}: {reason}, not {[v.reason for v in judged if v.call.id == call]}")
    found += [f"call {call} is not of the period" for call in reasons]
    lines, others = [_image(line) for line in section.lines], [_image_of(line) for line in rated.lines]
    if [line[:2] for line in lines] != [line[:2] for line in others]:
        return [*found, f"lines {[line[:2] for line in lines]}, not {[line[:2] for line in others]}"]
    found += [f"line {a}, not {b}" for a, b in zip(lines, others, strict=True) if a != b]
    subtotal = sum(line.amount for line in section.lines)
    tax = sum(sum(line.taxes.values()) for line in section.lines)
    inclusive = world.contract["tax"].get("behavior") == "inclusive"
    total = subtotal if inclusive else subtotal + tax
    if (tax, total) != (rated.tax, rated.total):
        found.append(f"tax and total {(tax, total)}, not {(rated.tax, rated.total)}")
    return found


Image = tuple[object, ...]


def _image(line: Line) -> Image:
    """What is compared of the oracle's line."""
    taxes = sorted((name, percent, share) for (name, percent), share in line.taxes.items())
    return (line.kind, line.charge, line.quantity, line.amount, line.discount, taxes, *line.days)


def _image_of(line: RatedLine) -> Image:
    """The same of the program's line."""
    taxes = sorted((share.name, share.percent, share.amount) for share in line.taxes)
    days = line.period
    amounts = (line.quantity, line.amount, line.discount, taxes)
    return (line.kind, line.charge, *amounts, days.first_day, days.end_day)
