"""From a stretch's stored inputs to priced lines. Issuing, verifying and estimating all come through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from callbill.domain.contracts import queries as contracts
from callbill.rules.counting import Count
from callbill.rules.lines import RatedLine
from callbill.rules.period import Part, Period
from callbill.rules.prices import quantities
from callbill.rules.rating import AdjustmentItem, RatingRequest, rate
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated

LATE = "late"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a stretch's price depends on beside its calls and its terms; stored as JSON with the stretch."""

    period: Period
    advance_for: tuple[Part, ...]
    advance_document: dict[str, Any] | None  # the next version, when fees in advance are at its prices
    once_fees: frozenset[str]

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "period": _days(self.period),
            "advance_for": [{"span": _days(p.span), "whole": _days(p.whole)} for p in self.advance_for],
            "advance_document": self.advance_document,
            "once_fees": sorted(self.once_fees),
        }

    @classmethod
    def from_json(cls, image: Mapping[str, Any], zone: str) -> Inputs:
        """The stored form read back. KeyError or ValueError if it is damaged."""
        return cls(
            period=_period(image["period"], zone),
            advance_for=tuple(
                Part(_period(part["span"], zone), _period(part["whole"], zone))
                for part in image["advance_for"]
            ),
            advance_document=image["advance_document"],
            once_fees=frozenset(image["once_fees"]),
        )


def price(
    terms: Terms, span: Period, count: Count, inputs: Inputs, adjustments: Sequence[AdjustmentItem] = ()
) -> Rated:
    """One company's stretch, priced by the pure core."""
    return rate(
        RatingRequest(
            terms=_with_fees_ahead(terms, inputs),
            period=inputs.period,
            span=span,
            quantities=quantities(count, terms),
            advance_for=inputs.advance_for,
            once_fees=inputs.once_fees,
            adjustments=tuple(adjustments),
        )
    )


def late_items(
    *, terms: Terms, period: Period, span: Period, before: Count, after: Count, stretch_id: str
) -> list[AdjustmentItem]:
    """What late calls add to an old period, charge by charge: its price with them less its price without.

    At the old period's terms (M20); a charge whose price does not change has no item. Fees are the same on
    both sides and fall out.
    """
    nothing_else = Inputs(period, (), None, frozenset())
    was, becomes = (
        {
            (line.kind, line.charge): line
            for line in price(terms, span, count, nothing_else).lines
            if line.kind in ("usage", "minimum")
        }
        for count in (before, after)
    )
    month = f"{period.first_day:%B %Y}"
    items = []
    for key in [*becomes, *(key for key in was if key not in becomes)]:
        old, new = was.get(key), becomes.get(key)
        difference = (new.net if new else 0) - (old.net if old else 0)
        if difference:
            line = new or old
            assert line is not None
            items.append(
                AdjustmentItem(
                    id=f"{LATE}:{stretch_id}:{line.charge}",
                    name=f"Late calls, {month}: {line.name}",
                    amount=difference,
                    charge=line.charge,
                )
            )
    return items


def as_stored(line: RatedLine) -> tuple[str, str]:
    """The stored (kind, charge) of a rated line: late items are a kind of their own."""
    if line.kind == "adjustment" and line.charge.startswith(f"{LATE}:"):
        return LATE, line.charge.split(":", 2)[2]
    return line.kind, line.charge


def _with_fees_ahead(terms: Terms, inputs: Inputs) -> Terms:
    """Fees in advance are at the prices of the version that holds in the time they pay for (M8, M16)."""
    if inputs.advance_document is None:
        return terms
    ahead = contracts.terms_of_document(inputs.advance_document)
    own = tuple(fee for fee in terms.fees if fee.when != "advance" or fee.every == "once")
    return replace(
        terms, fees=own + tuple(fee for fee in ahead.fees if fee.when == "advance" and fee.every == "month")
    )


def _days(period: Period) -> list[str]:
    return [period.first_day.isoformat(), period.end_day.isoformat()]


def _period(days: Sequence[str], zone: str) -> Period:
    return Period(date.fromisoformat(days[0]), date.fromisoformat(days[1]), zone)
