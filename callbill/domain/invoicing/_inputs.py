"""What goes into the price of each stretch of a period beside its calls: gathered once, then frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from callbill.domain.contracts import queries as contracts
from callbill.domain.contracts.queries import VersionStretch
from callbill.domain.customers import queries as customers
from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.invoicing._pricing import (
    GIVEN_BACK,
    GivenBack,
    Inputs,
    ToPrice,
    is_in_advance,
    price_sections,
)
from callbill.domain.invoicing.models import Stretch
from callbill.domain.usage import queries as calls
from callbill.rules.fee_lines import History
from callbill.rules.period import Part, Period, following
from callbill.rules.rating import AdjustmentItem, set_up_fees
from callbill.rules.terms import Fee, QuantityOverTime, Terms
from callbill.rules.treatment import TAXED


def inputs_of(
    found: Sequence[VersionStretch],
    company: Company,
    payer: BillableEntity | None,
    *,
    earlier: Sequence[Stretch],
    payer_goes_on: bool,
) -> list[Inputs]:
    """The inputs of the stretches of one period, in order.

    `earlier` are the stretches billed before, by day. A set-up fee is charged once, in the first stretch
    whose version has it. Fees in advance were billed with the period before, as far as its contract version
    goes; those that were not are billed with the stretch itself, and those of the period that follows if
    the same payer goes on (M8, M16, M31).
    """
    billed_ahead = _billed_ahead(earlier, found[0].period)
    charged_once = {fee for old in earlier for fee in old.inputs.get("once_fees", ())}
    result: list[Inputs] = []
    for stretch in found:
        parts, document, back = [Part(stretch.span, stretch.period)], None, None
        if stretch is found[0] and billed_ahead is not None:
            old, part = billed_ahead
            if not _still_right(old, part, stretch):
                back = GivenBack(old.id, part.span.first_day)
            else:
                parts = []
                if part.span.end_day > stretch.span.end_day:
                    back = GivenBack(old.id, stretch.span.end_day)
        if stretch is found[-1] and payer_goes_on:
            coming = following(stretch.period, stretch.terms.billing_day)
            if after := contracts.stretches_for(company.id, coming):
                parts.append(Part(after[0].span, coming))
                if after[0].version.id != stretch.version.id:
                    document = after[0].version.document
        once = set_up_fees(stretch.terms) - charged_once
        charged_once |= once
        inputs = Inputs(
            stretch.period,
            tuple(parts),
            document,
            once,
            closes_period=stretch is found[-1],
            given_back=back,
        )
        result.append(with_dated_facts(inputs, stretch, company, payer))
    return result


def with_dated_facts(
    inputs: Inputs, stretch: VersionStretch, company: Company, payer: BillableEntity | None
) -> Inputs:
    """The inputs of a stretch with the calendars, quantities and tax treatment that hold now."""
    end = max([inputs.period.end_day, *(part.span.end_day for part in inputs.advance_for)])
    fees = [*stretch.terms.fees]
    if inputs.advance_document is not None:
        fees += contracts.terms_of_document(inputs.advance_document).fees
    keys = {fee.quantity.of for fee in fees if isinstance(fee.quantity, QuantityOverTime)}
    histories = customers.quantity_histories(company.id, keys, before=end) if keys else {}
    treatment = (
        customers.tax_treatment(payer, on=inputs.period.last_day, ahead=end) if payer is not None else TAXED
    )
    return replace(
        inputs,
        calendars=contracts.calendars_for(stretch.terms, stretch.span),
        quantities={key: _since(history, stretch.span.first_day) for key, history in histories.items()},
        tax=treatment,
    )


def _since(history: History, first: date) -> History:
    """The values that hold from that day on: the last one before it and all after."""
    ordered: list[tuple[date, Decimal]] = sorted(history)
    before = [entry for entry in ordered if entry[0] <= first]
    return (*before[-1:], *(entry for entry in ordered if entry[0] > first))


def _billed_ahead(earlier: Sequence[Stretch], period: Period) -> tuple[Stretch, Part] | None:
    """The part of the period whose fees in advance are billed already, and the stretch that billed them."""
    for old in reversed(earlier):
        for part in Inputs.from_json(old.inputs, period.zone).coming:
            if part.whole == period:
                return old, part
    return None


def _still_right(old: Stretch, part: Part, stretch: VersionStretch) -> bool:
    """Whether the fees in advance that were billed are those of the version that turned out to hold."""
    then = contracts.terms_of_document(old.inputs["advance_document"] or old.terms)
    same = _in_advance(then) == _in_advance(stretch.terms)
    return (
        same and part.span.first_day == stretch.span.first_day and part.span.end_day >= stretch.span.end_day
    )


def _in_advance(terms: Terms) -> list[Fee]:
    return [fee for fee in terms.fees if is_in_advance(fee)]


def given_back(inputs: Inputs, old: Stretch) -> list[AdjustmentItem]:
    """Fees paid in advance for days on which another version came to hold: what they come to less (M8).

    By fee, the price of what was billed ahead less the price of what of it still holds, with discounts, at
    the terms under which it was billed.
    """
    back = inputs.given_back
    assert back is not None, "asked for stretches that give something back"
    terms = contracts.terms_of_document(old.terms)
    zone = terms.time_zone
    billed = replace(Inputs.from_json(old.inputs, zone), tax=TAXED)
    part = next(part for part in billed.coming if part.whole == inputs.period)
    left = part.span.overlap(None, back.from_day) if back.from_day > part.span.first_day else None
    others = tuple(each for each in billed.advance_for if each != part)
    kept = replace(billed, advance_for=(*others, *((Part(left, part.whole),) if left else ())))
    span = Period(old.first_day, old.end_day, zone)
    count = calls.count_settled([old.id], terms, billed.calendars)
    was, becomes = (
        _ahead_by_fee(price_sections([[ToPrice(terms, span, count, each)]])[0][0].lines, part)
        for each in (billed, kept)
    )
    days = Period(back.from_day, part.span.end_day, zone).label
    return [
        AdjustmentItem(
            id=f"{GIVEN_BACK}:{old.id}:{fee}",
            name=f"{name}, paid in advance for {days}",
            amount=becomes.get(fee, (name, 0))[1] - amount,
            charge=fee,
        )
        for fee, (name, amount) in was.items()
        if becomes.get(fee, (name, 0))[1] != amount
    ]


def _ahead_by_fee(lines: Iterable[Any], part: Part) -> Mapping[str, tuple[str, int]]:
    """Name and amount after discounts of each fee that was billed for the part's days."""
    return {
        line.charge: (line.name, line.charged)
        for line in lines
        if line.kind == "fee" and line.unit == "month" and line.period.first_day >= part.span.first_day
    }
