"""What a back-test answers: a table of what was paid and what would have been, period by period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from callbill.rules.money import Money
from callbill.rules.period import Period
from callbill.rules.problem import Problem


class BacktestRefused(Exception):
    """The draft cannot be tried on these companies; every reason with its key."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


_PARTS = ("usage", "fees", "minimum", "discounts", "tax", "total")
_COLUMNS = (
    *("company", "name", "first_day", "last_day", "invoices", "currency", "calls_received", "calls_billed"),
    *(f"{side}_{part}" for side in ("paid", "would_pay") for part in _PARTS),
    "difference",
)


@dataclass(frozen=True, slots=True)
class Charged:
    """What is charged for a period, by kind of line, in minor units. Discounts are zero or negative."""

    usage: int = 0
    fees: int = 0
    minimum: int = 0
    discounts: int = 0
    tax: int = 0

    @property
    def subtotal(self) -> int:
        """Before tax."""
        return self.usage + self.fees + self.minimum + self.discounts

    @property
    def total(self) -> int:
        """With tax."""
        return self.subtotal + self.tax

    def __add__(self, other: Charged) -> Charged:
        return Charged(
            self.usage + other.usage,
            self.fees + other.fees,
            self.minimum + other.minimum,
            self.discounts + other.discounts,
            self.tax + other.tax,
        )


@dataclass(frozen=True, slots=True)
class BacktestLine:
    """One charge, fee, minimum or discount on both sides, before tax; None where a side does not have it."""

    kind: str
    charge: str
    name: str
    paid: Money | None
    would_pay: Money | None

    @property
    def difference(self) -> Money:
        """What it would be more; negative: less."""
        sides = (self.paid, self.would_pay)
        currency = next(side.currency for side in sides if side is not None)
        paid, would_pay = (side or Money(0, currency) for side in sides)
        return would_pay - paid


@dataclass(frozen=True, slots=True)
class BacktestRow:
    """One company in one billing period.

    `invoices` are the numbers of what was issued for it, that of the period first; empty where nothing was
    invoiced, and then `paid` is what the terms in force would have given. `received` and `billable` are
    calls as the draft counts them.
    """

    company_id: UUID
    company_key: str
    company_name: str
    period: Period
    currency: str
    invoices: tuple[str, ...]
    paid: Charged
    would_pay: Charged
    received: int
    billable: int
    lines: tuple[BacktestLine, ...]

    @property
    def paid_total(self) -> Money:
        """What was charged for the period, tax included."""
        return Money(self.paid.total, self.currency)

    @property
    def would_pay_total(self) -> Money:
        """What the draft would have charged, tax included."""
        return Money(self.would_pay.total, self.currency)

    @property
    def difference(self) -> Money:
        """What the draft would have charged more; negative: less."""
        return self.would_pay_total - self.paid_total


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A company that the draft could not be tried on, and why."""

    company_key: str
    company_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class CompanySum:
    """A company over all its periods, tax included."""

    company_key: str
    company_name: str
    periods: int
    paid: Money
    would_pay: Money

    @property
    def difference(self) -> Money:
        """What the draft would have charged more; negative: less."""
        return self.would_pay - self.paid


@dataclass(frozen=True, slots=True)
class Backtest:
    """The whole table: rows by company name and period. Nothing of it is stored."""

    currency: str
    months: int
    rows: tuple[BacktestRow, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def paid(self) -> Money:
        """What was charged in all, tax included."""
        return Money(sum(row.paid.total for row in self.rows), self.currency)

    @property
    def would_pay(self) -> Money:
        """What the draft would have charged in all, tax included."""
        return Money(sum(row.would_pay.total for row in self.rows), self.currency)

    @property
    def difference(self) -> Money:
        """What the draft would have charged more; negative: less."""
        return self.would_pay - self.paid

    @property
    def companies(self) -> tuple[CompanySum, ...]:
        """Each company's sums, in the order of the rows."""
        by_key: dict[str, list[BacktestRow]] = {}
        for row in self.rows:
            by_key.setdefault(row.company_key, []).append(row)
        return tuple(
            CompanySum(
                key,
                rows[0].company_name,
                len(rows),
                Money(sum(row.paid.total for row in rows), self.currency),
                Money(sum(row.would_pay.total for row in rows), self.currency),
            )
            for key, rows in by_key.items()
        )

    def table(self) -> Iterator[tuple[str, ...]]:
        """The rows as plain text with a heading, for a CSV file; amounts in major units."""
        yield _COLUMNS
        for row in self.rows:
            amounts = [
                Money(minor, self.currency).text
                for side in (row.paid, row.would_pay)
                for minor in (getattr(side, part) for part in _PARTS)
            ]
            yield (
                *(row.company_key, row.company_name, row.period.first_day.isoformat()),
                *(row.period.last_day.isoformat(), " ".join(row.invoices), self.currency),
                *(str(row.received), str(row.billable), *amounts, row.difference.text),
            )
