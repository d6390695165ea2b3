"""A contract version in plain words: what its page shows beside the file itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from callbill.lib import formats
from callbill.rules.terms import Billable, Discount, Fee, Package, Scope, TaxRate, Terms, Tier, UsageCharge


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that was agreed: its name and what it says."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Heading:
    """Clauses under a heading."""

    title: str
    clauses: tuple[Clause, ...]


def in_words(terms: Terms) -> list[Heading]:
    """The terms, heading by heading; headings with nothing under them are left out."""
    charge_names = {charge.id: charge.name for charge in terms.usage}
    charge_names |= {fee.id: fee.name for fee in terms.fees}
    fixed = [Clause(fee.name, _fee(fee, terms)) for fee in terms.fees]
    if terms.minimum:
        counted = _listed([charge_names.get(item, item) for item in terms.minimum.counts])
        words = f"{_amount(terms.minimum.amount, terms)} a month, filled up from {counted or 'all usage'}"
        fixed.append(Clause("Monthly minimum", words))
    discounts = [Clause(item.name, _discount(item, terms, charge_names)) for item in terms.discounts]
    taxes = [Clause(rate.name, _tax(rate, terms, charge_names)) for rate in terms.tax.rates]
    found = [
        Heading("Usage", tuple(Clause(charge.name, _usage(charge, terms)) for charge in terms.usage)),
        Heading("Fixed fees", tuple(fixed)),
        Heading("Discounts", tuple(discounts)),
        Heading("Tax", tuple(taxes)),
        Heading("Which calls count", tuple(_billable(terms.billable))),
        Heading("Billing", tuple(_billing(terms))),
    ]
    return [heading for heading in found if heading.clauses]


def _usage(charge: UsageCharge, terms: Terms) -> str:
    parts = [_price(charge, terms)]
    if charge.unit == "minute":
        steps = charge.increments
        parts.append(f"billed in {steps.initial}/{steps.increment} seconds of {charge.basis} time")
    if charge.connection_fee is not None:
        parts.append(f"{_amount(charge.connection_fee, terms)} for each connection")
    if charge.included is not None:
        parts.append(f"{formats.figure(_plain(charge.included))} {charge.unit}s a period included")
    if charge.minimum is not None:
        parts.append(f"at least {_amount(charge.minimum, terms)}")
    if charge.maximum is not None:
        parts.append(f"at most {_amount(charge.maximum, terms)}")
    parts.append(f"for {_scope(charge.scope)}")
    return ", ".join(parts)


def _price(charge: UsageCharge, terms: Terms) -> str:
    if charge.package is not None:
        return _package(charge.package, charge, terms)
    if charge.tiers:
        steps = "; ".join(_tier(tier, terms) for tier in charge.tiers)
        how = "each step at its own rate" if charge.tier_mode == "graduated" else "all at the rate reached"
        return f"per {charge.unit}, {steps} ({how})"
    assert charge.rate is not None, "a charge has a rate, tiers or a package"
    return f"{_amount(charge.rate, terms)} per {charge.unit}"


def _package(package: Package, charge: UsageCharge, terms: Terms) -> str:
    return f"{_amount(package.rate, terms)} for each started {formats.figure(package.size)} {charge.unit}s"


def _tier(tier: Tier, terms: Terms) -> str:
    upto = f"up to {formats.figure(_plain(tier.up_to))}" if tier.up_to is not None else "above"
    flat = f" plus {_amount(tier.flat, terms)}" if tier.flat else ""
    return f"{upto}: {_amount(tier.rate, terms)}{flat}"


def _scope(scope: Scope) -> str:
    if scope.takes_everything:
        return "every call"
    named = (
        ("direction", scope.direction),
        ("service", scope.service),
        ("queue", scope.queue),
        ("number", scope.number),
        ("to numbers beginning with", scope.prefix),
        ("on", scope.weekdays),
    )
    parts = [f"{word} {_listed(values, 'or')}" for word, values in named if values]
    if scope.from_time or scope.until_time:
        start = f"{scope.from_time:%H:%M}" if scope.from_time else "00:00"
        end = f"{scope.until_time:%H:%M}" if scope.until_time else "24:00"
        parts.append(f"from {start} until {end}")
    if scope.holidays:
        parts.append(f"not on holidays of {scope.holidays}")
    return "calls with " + ", ".join(parts)


def _fee(fee: Fee, terms: Terms) -> str:
    if fee.every == "once":
        how = "once, on the first invoice"
    else:
        how = "a month, in advance" if fee.when == "advance" else "a month, in arrears"
    times = ""
    if isinstance(fee.quantity, Decimal):
        if fee.quantity != 1:
            times = f"{formats.figure(_plain(fee.quantity))} × "
    else:
        times = f"{fee.quantity.by} number of {fee.quantity.of} × "
    part = ", by days in part periods" if fee.prorate else ""
    return f"{times}{_amount(fee.amount, terms)} {how}{part}"


def _discount(discount: Discount, terms: Terms, names: dict[str, str]) -> str:
    size = f"{formats.figure(_plain(discount.percent))} %" if discount.percent is not None else ""
    if discount.amount is not None:
        size = _amount(discount.amount, terms)
    on = _listed([names.get(item, item) for item in discount.applies_to]) or "all usage and fees"
    dates = f", from {formats.day(discount.from_date)}" if discount.from_date else ""
    dates += f", until {formats.day(discount.until_date)}" if discount.until_date else ""
    return f"{size} off {on}{dates}"


def _tax(rate: TaxRate, terms: Terms, names: dict[str, str]) -> str:
    on = _listed([names.get(item, item) for item in rate.applies_to]) or "every line"
    contained = ", contained in the prices" if terms.tax.behavior == "inclusive" else ""
    return f"{formats.figure(_plain(rate.percent))} % on {on}{contained}"


def _billable(billable: Billable) -> list[Clause]:
    clauses = [Clause("Ended as", _listed([d.replace("_", " ") for d in billable.dispositions], "or"))]
    if billable.min_talk_seconds:
        clauses.append(Clause("Shortest talk time", f"{billable.min_talk_seconds} seconds"))
    if billable.exclude_flags:
        flags = _listed([flag.replace("_", " ") for flag in billable.exclude_flags], "or")
        cap = ""
        if billable.exclude_cap_percent is not None:
            cap = f", at most {formats.figure(_plain(billable.exclude_cap_percent))} % of the calls"
        clauses.append(Clause("Not billed when marked", flags + cap))
    if billable.free_short_calls:
        free = billable.free_short_calls
        words = f"the first {free.per_period} a period under {free.under_seconds} seconds"
        clauses.append(Clause("Free short calls", words))
    if billable.test_numbers:
        clauses.append(Clause("Test numbers", _listed(billable.test_numbers)))
    anchor = "its end" if billable.anchor == "ended_at" else "its start"
    clauses.append(Clause("A call belongs to the period of", anchor))
    return clauses


def _billing(terms: Terms) -> list[Clause]:
    return [
        Clause("Who is billed", "the organization" if terms.payer == "organization" else "the company"),
        Clause("Currency", terms.currency),
        Clause("Billing day", f"{terms.billing_day}, at midnight in {terms.time_zone}"),
        Clause("Due", f"{terms.payment_terms_days} days after issue"),
        Clause("Late calls", f"billed up to {terms.late_window_days} days after their period"),
    ]


def _amount(amount: Decimal, terms: Terms) -> str:
    return formats.rate(_plain(amount), terms.currency)


def _plain(value: Decimal | None) -> str:
    return format(value or Decimal(0), "f")


def _listed(items: Sequence[str], last: str = "and") -> str:
    """ "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
