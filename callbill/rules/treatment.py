"""How a payer is taxed: as the contract says, not at all, or by itself (M5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from callbill.rules.period import Period


@dataclass(frozen=True, slots=True)
class Taxed:
    """Taxed as the contract says."""


@dataclass(frozen=True, slots=True)
class Exempt:
    """Exempt by a certificate. It covers a line if it holds on every day of the line's period.

    `from_date` and `until_date` are its first and last day, None without a bound. `reason` is printed.
    """

    certificate: str
    from_date: date | None = None
    until_date: date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReverseCharge:
    """The payer accounts for the tax itself, under its tax id. `reason` is printed."""

    tax_id: str
    reason: str = ""


TaxTreatment = Taxed | Exempt | ReverseCharge
TAXED = Taxed()


def reason_for(treatment: TaxTreatment, period: Period) -> str:
    """Why no tax is charged on a line for that period, in words to be printed; "" if it is taxed."""
    if isinstance(treatment, ReverseCharge):
        return _with_reason(f"Reverse charge, tax id {treatment.tax_id}", treatment.reason)
    if isinstance(treatment, Exempt):
        first, last = treatment.from_date, treatment.until_date
        if (first is None or first <= period.first_day) and (last is None or period.last_day <= last):
            return _with_reason(f"Exempt from tax, certificate {treatment.certificate}", treatment.reason)
    return ""


def _with_reason(words: str, reason: str) -> str:
    return f"{words}: {reason}" if reason else words
