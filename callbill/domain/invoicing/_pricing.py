"""From stored inputs to priced lines. Issuing, verifying, estimating and back-testing come through here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.rules.counting import Calendars, Count
from callbill.rules.fee_lines import History
from callbill.rules.lines import RatedLine
from callbill.rules.period import Part, Period
from callbill.rules.prices import quantities
from callbill.rules.rating import AdjustmentItem, RatingRequest, pools_anything, rate_pool
from callbill.rules.terms import Fee, Terms
from callbill.rules.totals import Rated
from callbill.rules.treatment import TAXED, Exempt, ReverseCharge, TaxTreatment

LATE = "late"
GIVEN_BACK = "given_back"


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The fees that the stretch `stretch` billed in advance for days from `from_day` on are given back."""

    stretch: UUID
    from_day: date


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a stretch's price depends on beside its calls and its terms; stored as JSON with the stretch.

    `advance_for`: the stretch itself, if its fees in advance were not billed before, and the first part of
    the period that follows. `calendars` and `quantities` have the days and values that could matter.
    """

    period: Period
    advance_for: tuple[Part, ...]
    advance_document: dict[str, Any] | None  # the next version, when fees in advance are at its prices
    once_fees: frozenset[str]
    closes_period: bool = True
    calendars: Calendars = field(default_factory=dict)
    quantities: Mapping[str, History] = field(default_factory=dict)
    tax: TaxTreatment = TAXED
    given_back: GivenBack | None = None

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        back = self.given_back
        return {
            "period": _days(self.period),
            "advance_for": [{"span": _days(p.span), "whole": _days(p.whole)} for p in self.advance_for],
            "advance_document": self.advance_document,
            "once_fees": sorted(self.once_fees),
            "closes_period": self.closes_period,
            "calendars": {
                name: [day.isoformat() for day in sorted(days)] for name, days in self.calendars.items()
            },
            "quantities": {
                name: [[day.isoformat(), format(value, "f")] for day, value in sorted(history)]
                for name, history in self.quantities.items()
            },
            "tax": _tax_to_json(self.tax),
            "given_back": back and {"stretch": str(back.stretch), "from_day": back.from_day.isoformat()},
        }

    @classmethod
    def from_json(cls, image: Mapping[str, Any], zone: str) -> Inputs:
        """The stored form read back, also that of invoices from before it had all keys.

        KeyError or ValueError if it is damaged.
        """
        back = image.get("given_back")
        return cls(
            period=_period(image["period"], zone),
            advance_for=tuple(
                Part(_period(part["span"], zone), _period(part["whole"], zone))
                for part in image["advance_for"]
            ),
            advance_document=image["advance_document"],
            once_fees=frozenset(image["once_fees"]),
            closes_period=image.get("closes_period", True),
            calendars={
                name: frozenset(date.fromisoformat(day) for day in days)
                for name, days in image.get("calendars", {}).items()
            },
            quantities={
                name: tuple((date.fromisoformat(day), Decimal(value)) for day, value in history)
                for name, history in image.get("quantities", {}).items()
            },
            tax=tax_from_json(image.get("tax")),
            given_back=back and GivenBack(UUID(back["stretch"]), date.fromisoformat(back["from_day"])),
        )

    @property
    def coming(self) -> tuple[Part, ...]:
        """The parts of later periods whose fees are billed in advance."""
        return tuple(part for part in self.advance_for if part.whole != self.period)


@dataclass(frozen=True, slots=True)
class ToPrice:
    """A stretch of one company's section, and what comes into its price."""

    terms: Terms
    span: Period
    count: Count
    inputs: Inputs
    adjustments: tuple[AdjustmentItem, ...] = ()


def price(
    terms: Terms, span: Period, count: Count, inputs: Inputs, adjustments: Sequence[AdjustmentItem] = ()
) -> Rated:
    """One company's stretch by itself, priced by the pure core. ValueError for terms that pool (M18)."""
    if pools_anything(terms):
        raise ValueError("what companies pool is priced together")
    return price_sections([[ToPrice(terms, span, count, inputs, tuple(adjustments))]])[0][0]


def price_sections(sections: Sequence[Sequence[ToPrice]]) -> list[list[Rated]]:
    """The stretches of an invoice's sections, each section's in order of days.

    Those of the same days under the same terms are priced together where the terms pool (M18). What a
    section's earlier stretches came to counts toward the minimum of the one that closes the period (M8).
    """
    rated: list[dict[int, Rated]] = [{} for _ in sections]
    spent: list[dict[str, int]] = [{} for _ in sections]
    for group in _groups(sections):
        requests = [_request(sections[section][place], spent[section]) for section, place in group]
        for (section, place), result in zip(group, rate_pool(requests), strict=True):
            rated[section][place] = result
            for line in result.lines:
                if line.kind in ("usage", "fee"):
                    spent[section][line.charge] = spent[section].get(line.charge, 0) + line.charged
    return [
        [found[place] for place in range(len(section))]
        for found, section in zip(rated, sections, strict=True)
    ]


def _groups(sections: Sequence[Sequence[ToPrice]]) -> Iterable[list[tuple[int, int]]]:
    """(section, place) of what is priced together, groups in order of days."""
    groups: dict[object, list[tuple[int, int]]] = {}
    places = [(section, place) for section, parts in enumerate(sections) for place in range(len(parts))]
    for section, place in sorted(places, key=lambda at: (sections[at[0]][at[1]].span.first_day, *at)):
        part = sections[section][place]
        alone = () if pools_anything(part.terms) else (section, place)
        key = (part.terms, part.span, part.inputs.period, part.inputs.closes_period, alone)
        groups.setdefault(key, []).append((section, place))
    return groups.values()


def _request(part: ToPrice, earlier_spend: Mapping[str, int]) -> RatingRequest:
    inputs = part.inputs
    return RatingRequest(
        terms=_with_advance_fees(part.terms, inputs),
        period=inputs.period,
        span=part.span,
        quantities=quantities(part.count, part.terms),
        advance_for=inputs.coming,
        once_fees=inputs.once_fees,
        adjustments=part.adjustments,
        quantity_history=inputs.quantities,
        closes_period=inputs.closes_period,
        earlier_spend=dict(earlier_spend),
        tax_treatment=inputs.tax,
    )


def _with_advance_fees(terms: Terms, inputs: Inputs) -> Terms:
    """The terms with exactly the fees in advance that are due, each at the prices of its time (M8, M16).

    Those of the stretch itself are at its own prices and due like fees in arrears: whole only in the part
    that closes the period, unless they prorate. Those of the coming part are at the prices of the version
    that holds then; where a further version follows in that period, the part does not close it.
    """
    owed_now = any(part.whole == inputs.period for part in inputs.advance_for)
    then = terms if inputs.advance_document is None else contracts.terms_of_document(inputs.advance_document)
    closes_then = all(part.span.end_day == part.whole.end_day for part in inputs.coming)
    coming = {fee.id: fee for fee in then.fees if is_in_advance(fee) and (closes_then or fee.prorate)}
    fees: list[Fee] = []
    for fee in terms.fees:
        if not is_in_advance(fee):
            fees.append(fee)
            continue
        if owed_now:
            fees.append(replace(fee, when="arrears"))
        if inputs.advance_document is None and fee.id in coming:
            fees.append(coming.pop(fee.id))
    return replace(terms, fees=(*fees, *coming.values()))


def is_in_advance(fee: Fee) -> bool:
    """Whether it is a monthly fee that is billed before the time it pays for."""
    return fee.every == "month" and fee.when == "advance"


def as_stored(line: RatedLine) -> tuple[str, str]:
    """The stored (kind, charge) of a rated line: late items are a kind of their own."""
    if line.kind == "adjustment":
        if line.charge.startswith(f"{LATE}:"):
            return LATE, line.charge.split(":", 2)[2]
        if line.charge.startswith(f"{GIVEN_BACK}:"):
            return "adjustment", line.charge.split(":", 2)[2]
    return line.kind, line.charge


def _days(period: Period) -> list[str]:
    return [period.first_day.isoformat(), period.end_day.isoformat()]


def _period(days: Sequence[str], zone: str) -> Period:
    return Period(date.fromisoformat(days[0]), date.fromisoformat(days[1]), zone)


def _tax_to_json(treatment: TaxTreatment) -> dict[str, Any] | None:
    if isinstance(treatment, Exempt):
        return {
            "kind": "exempt",
            "certificate": treatment.certificate,
            "from": treatment.from_date and treatment.from_date.isoformat(),
            "until": treatment.until_date and treatment.until_date.isoformat(),
            "reason": treatment.reason,
        }
    if isinstance(treatment, ReverseCharge):
        return {"kind": "reverse_charge", "tax_id": treatment.tax_id, "reason": treatment.reason}
    return None


def tax_from_json(image: Mapping[str, Any] | None) -> TaxTreatment:
    """The tax treatment out of a stretch's stored inputs; taxed, where they have none."""
    if image is None:
        return TAXED
    if image["kind"] == "reverse_charge":
        return ReverseCharge(image["tax_id"], image["reason"])
    first, last = image["from"], image["until"]
    return Exempt(
        image["certificate"],
        first and date.fromisoformat(first),
        last and date.fromisoformat(last),
        image["reason"],
    )
