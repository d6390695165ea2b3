"""One world priced twice: by the oracle and by the program; what differs, in words."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

from callbill.rules.counting import CallFacts, Count, Verdict, anchor_instant, judge, tally
from callbill.rules.document import DocumentErrors, read_terms
from callbill.rules.lines import RatedLine
from callbill.rules.period import Part, Period, period_named
from callbill.rules.prices import quantities
from callbill.rules.rating import AdjustmentItem, RatingRequest, pools_anything, rate, rate_pool
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated, consolidate
from callbill.rules.treatment import TAXED, Exempt, ReverseCharge, TaxTreatment
from callbill.rules.unpriced import unpriced
from tests.oracle.invoice import invoice
from tests.oracle.world import Line, Section, World
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


def valid_world(random: Random) -> World:
    """A world whose contract the program reads; ties in scope are drawn again. Nothing may be unpriced."""
    while True:
        world = draw_world(random)
        try:
            terms = read_terms(world.contract)
        except DocumentErrors as refused:
            if any(not problem.path.endswith(".scope") for problem in refused.problems):
                raise
            continue
        assert unpriced(terms) == []
        return world


def program(*worlds: World) -> tuple[list[list[Verdict]], list[Rated]]:
    """The verdicts and the rated sections of one invoice, company by company."""
    priced = [each for world in worlds for each in zip(*_priced(world), strict=True)]
    return [verdicts for verdicts, _ in priced], consolidate([rated for _, rated in priced])


def _priced(world: World) -> tuple[list[list[Verdict]], list[Rated]]:
    """The same of one contract, before it is one invoice."""
    terms = read_terms(world.contract)
    span = Period(*world.billed, terms.time_zone)
    calendars = {name: frozenset(days) for name, days in world.calendars.items()}
    verdicts, requests = [], []
    for company in world.companies:
        calls = [facts(call) for call in company["calls"]]
        here = [call for call in calls if span.contains(anchor_instant(call, terms.billable))]
        verdicts.append(judge(here, terms, calendars))
        requests.append(_request(world, company, terms, tally(verdicts[-1], terms)))
    together = pools_anything(terms)
    rated = rate_pool(requests) if together else [rate(request) for request in requests]
    return verdicts, rated


def _request(world: World, company: dict[str, Any], terms: Terms, tallied: Count) -> RatingRequest:
    """What the program is asked for one company."""
    zone, advance = terms.time_zone, world.advance_for
    parts = advance and [Part(Period(*days, zone), Period(*whole, zone)) for days, whole in advance]
    return RatingRequest(
        terms=terms,
        period=period_named(world.month, terms.billing_day, zone),
        span=Period(*world.billed, zone),
        quantities=quantities(tallied, terms),
        advance_for=None if parts is None else tuple(parts),
        once_fees=frozenset(world.once),
        adjustments=tuple(
            AdjustmentItem(item["id"], item["id"], item["amount"], item["taxable"], item["charge"])
            for item in company["adjustments"]
        ),
        quantity_history=world.histories,
        closes_period=world.closes,
        earlier_spend=company.get("earlier", {}),
        tax_treatment=_treatment(world.treatment),
    )


def _treatment(said: dict[str, Any] | None) -> TaxTreatment:
    """How the payer is taxed."""
    if said is None:
        return TAXED
    if said["kind"] == "reverse_charge":
        return ReverseCharge("ATU12345678")
    return Exempt("certificate 7", said["from"], said["until"])


def differences(*worlds: World) -> list[str]:
    """Every difference between the oracle and the program, in words; none if they agree to the cent."""
    ours = invoice(*worlds)
    verdicts, theirs = program(*worlds)
    found = []
    for place, (section, judged, rated) in enumerate(zip(ours, verdicts, theirs, strict=True)):
        found += [f"section {place}: {words}" for words in _section(section, judged, rated)]
    return found


def _section(section: Section, judged: list[Verdict], rated: Rated) -> list[str]:
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
    sums = (subtotal, tax, subtotal + tax)
    if sums != (rated.subtotal, rated.tax, rated.total):
        found.append(f"sums {sums}, not {(rated.subtotal, rated.tax, rated.total)}")
    return found


Image = tuple[object, ...]


def _image(line: Line) -> Image:
    """What is compared of the oracle's line."""
    taxes = sorted((name, percent, line.left, share) for (name, percent), share in line.taxes.items())
    amounts = (line.quantity, line.calls, line.amount, line.discount, taxes)
    return (line.kind, line.charge, *amounts, *line.days)


def _image_of(line: RatedLine) -> Image:
    """The same of the program's line."""
    taxes = sorted((share.name, share.percent, share.taxable, share.amount) for share in line.taxes)
    amounts = (line.quantity, line.calls, line.amount, line.discount, taxes)
    return (line.kind, line.charge, *amounts, line.period.first_day, line.period.end_day)
