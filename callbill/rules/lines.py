"""A priced line with its derivation: how quantity, price, discounts and tax made the amount.

Console, portal, PDF and quote show the same line; an issued invoice freezes it as JSON, in which amounts,
rates and quantities are decimal strings in major units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, cast

from callbill.rules.money import Money, plain, round_half_away
from callbill.rules.period import Part, Period

LineKind = Literal["usage", "fee", "minimum", "discount", "adjustment"]
LineUnit = Literal["call", "minute", "month", "once", "each"]

MINIMUM = "minimum"
"""The charge id of the true-up line (M17); no charge or fee of a contract may have it."""

_EXACT_PLACES = 12
_SHOWN_PLACES = 6


def _terminating(value: Fraction) -> str | None:
    """The value as a plain decimal without padding, or None if 12 decimals cannot hold it exactly."""
    if value.denominator == 1:
        return str(value.numerator)
    times, rest = divmod(10**_EXACT_PLACES, value.denominator)
    return None if rest else _scaled_text(value.numerator * times, _EXACT_PLACES)


def _scaled_text(scaled: int, places: int) -> str:
    whole, rest = divmod(abs(scaled), 10**places)
    decimals = f"{rest:0{places}}".rstrip("0")
    return ("-" if scaled < 0 else "") + str(whole) + (f".{decimals}" if decimals else "")


def decimal_text(value: Fraction | Decimal | int) -> str:
    """A quantity as a plain decimal: exact up to 12 decimals, else rounded to 6."""
    exact = Fraction(value)
    return _terminating(exact) or _scaled_text(round_half_away(exact * 10**_SHOWN_PLACES), _SHOWN_PLACES)


def shown(value: Fraction | Decimal | int) -> str:
    """A figure inside a derivation: exact up to 12 decimals, else cut off after 6 with "…"."""
    exact = value if isinstance(value, Fraction) else Fraction(value)
    if (text := _terminating(exact)) is not None:
        return text
    cut = abs(exact.numerator) * 10**_SHOWN_PLACES // exact.denominator
    return _scaled_text(-cut if exact < 0 else cut, _SHOWN_PLACES) + "…"


def product(value: Fraction, rate: str) -> str:
    """An exact product inside a derivation, with the cents that its rate is written with: "704.70".

    As `shown`, but not shorter than the rate's decimals, at most two of them.
    """
    text = shown(value)
    wanted = min(len(rate.partition(".")[2]), 2)
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(wanted, '0')}" if wanted and not text.endswith("…") else text


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a derivation: its kind, a plain sentence, and the figures in it by name, as text.

    Kinds: quantity, prorate, included, tier, package, price, connection, each_call, floor, cap, round, pool,
    minimum, discount, tax, adjustment.
    """

    kind: str
    text: str
    figures: tuple[tuple[str, str], ...] = ()


def round_step(exact: Fraction, amount: int, currency: str) -> tuple[Step, ...]:
    """Says the rounding of an exact amount in major units to `amount` minor units, if there was any."""
    rounded = plain(amount, currency)
    if exact == Fraction(rounded):
        return ()
    return (Step("round", f"rounded to {rounded}", (("exact", shown(exact)), ("rounded", rounded))),)


def prorate_step(exact: Fraction, part: Part) -> Step:
    """Says that an amount shrank to `exact` by the days of the part (M9)."""
    days, of = str(part.span.days), str(part.whole.days)
    return Step(
        "prorate",
        f"{part.span.label} is {days} of {of} days: × {days}/{of} = {shown(exact)}",
        (("days", days), ("of_days", of), ("exact", shown(exact))),
    )


@dataclass(frozen=True, slots=True)
class TaxShare:
    """What one tax rate takes of a line: its taxable amount and its share of the tax, in minor units (M4).

    `reason` says why nothing is charged under a rate that would apply: an exemption, a reverse charge (M5).
    `taken_out` is then the tax that was inside the price, and that the payer does not pay.
    """

    name: str
    percent: Decimal
    taxable: int
    amount: int
    reason: str = ""
    taken_out: int = 0


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One line of an invoice or quote. Amounts are minor units of `currency`; `rate` is in major units.

    `amount` is before discounts; `discount` is the line's shares of the discounts (zero or negative for a
    positive line), which appear as amounts only on their own lines of kind "discount". A subtotal is the sum
    of all `amount`s, and tax is found on `amount + discount`. `quantity` is exact. `calls` is the number of
    calls behind a usage line, None for the other kinds. `period` is what the line is for.

    `tax_inside` marks a line whose price includes its tax (M5): its amount is what is left without the tax,
    and `net + tax` is what the price came to.
    """

    kind: LineKind
    charge: str
    name: str
    currency: str
    quantity: Fraction
    unit: LineUnit
    rate: Decimal | None
    amount: int
    period: Period
    calls: int | None = None
    discount: int = 0
    taxes: tuple[TaxShare, ...] = ()
    tax_code: str | None = None
    derivation: tuple[Step, ...] = ()
    tax_inside: bool = False

    @property
    def net(self) -> int:
        """The amount after discounts, before tax."""
        return self.amount + self.discount

    @property
    def charged(self) -> int:
        """What the contract's own prices come to after discounts: with the tax where they include it, also
        where the payer is not taxed and does not pay it. It is what counts toward a minimum (M17)."""
        inside = self.tax if self.tax_inside else 0
        return self.net + inside + sum(share.taken_out for share in self.taxes)

    @property
    def tax(self) -> int:
        """The line's stored shares of all its taxes (M4)."""
        return sum(share.amount for share in self.taxes)

    @property
    def quantity_text(self) -> str:
        """The quantity as a plain decimal: "467.2"; six decimals where it never ends."""
        return decimal_text(self.quantity)

    def money(self, minor: int) -> str:
        """Minor units as a plain decimal string in the line's currency."""
        return plain(minor, self.currency)


def to_json(line: RatedLine) -> dict[str, Any]:
    """The line as JSON values: objects, lists, strings, whole numbers and null. `from_json` reads it back."""
    quantity = line.quantity_text
    return {
        "kind": line.kind,
        "charge": line.charge,
        "name": line.name,
        "currency": line.currency,
        "quantity": quantity,
        # A third of a minute has no decimal text; the fraction keeps a recomputation exact.
        **({} if Fraction(quantity) == line.quantity else {"quantity_exact": str(line.quantity)}),
        "unit": line.unit,
        "rate": None if line.rate is None else format(line.rate, "f"),
        "amount": line.money(line.amount),
        "discount": line.money(line.discount),
        "tax": line.money(line.tax),
        "taxes": [
            {
                "name": share.name,
                "percent": format(share.percent, "f"),
                "taxable": line.money(share.taxable),
                "amount": line.money(share.amount),
                **({"reason": share.reason} if share.reason else {}),
                **({"taken_out": line.money(share.taken_out)} if share.taken_out else {}),
            }
            for share in line.taxes
        ],
        **({"tax_inside": True} if line.tax_inside else {}),
        "tax_code": line.tax_code,
        "calls": line.calls,
        "period": {
            "first_day": line.period.first_day.isoformat(),
            "end_day": line.period.end_day.isoformat(),
            "zone": line.period.zone,
        },
        "derivation": [
            {"kind": step.kind, "text": step.text, "figures": dict(step.figures)} for step in line.derivation
        ],
    }


def from_json(image: Mapping[str, Any]) -> RatedLine:
    """The line that `to_json` wrote. KeyError or ValueError if the image is damaged."""
    currency: str = image["currency"]

    def minor(text: str) -> int:
        return Money.of(text, currency).minor

    line = RatedLine(
        kind=cast(LineKind, image["kind"]),
        charge=image["charge"],
        name=image["name"],
        currency=currency,
        quantity=Fraction(image.get("quantity_exact", image["quantity"])),
        unit=cast(LineUnit, image["unit"]),
        rate=None if image["rate"] is None else Decimal(image["rate"]),
        amount=minor(image["amount"]),
        discount=minor(image["discount"]),
        taxes=tuple(
            TaxShare(
                tax["name"],
                Decimal(tax["percent"]),
                minor(tax["taxable"]),
                minor(tax["amount"]),
                tax.get("reason", ""),
                minor(tax["taken_out"]) if "taken_out" in tax else 0,
            )
            for tax in image["taxes"]
        ),
        tax_inside=image.get("tax_inside", False),
        tax_code=image["tax_code"],
        calls=image["calls"],
        period=Period(
            date.fromisoformat(image["period"]["first_day"]),
            date.fromisoformat(image["period"]["end_day"]),
            image["period"]["zone"],
        ),
        derivation=tuple(
            Step(step["kind"], step["text"], tuple(step["figures"].items())) for step in image["derivation"]
        ),
    )
    if line.tax != minor(image["tax"]):
        raise ValueError(f"the taxes of line {line.charge} add up to {line.tax}, not to {image['tax']}")
    return line
