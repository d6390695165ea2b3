"""What holds of a customer from a day on: quantities over time (M16) and how a payer is taxed (M5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from callbill.domain.customers.models import BillableEntity, QuantityHistory, TaxStatus
from callbill.rules.fee_lines import History
from callbill.rules.treatment import TAXED, Exempt, ReverseCharge, TaxTreatment


@dataclass(frozen=True, slots=True)
class QuantityRow:
    """From `from_date` on there are `value` of `key`, until the next row of that key."""

    key: str
    from_date: date
    value: Decimal

    @property
    def text(self) -> str:
        """The value as a plain decimal: "12", "14.5"."""
        return format(self.value, "f")


@dataclass(frozen=True, slots=True)
class TaxStatusRow:
    """An exemption or a reverse charge in plain words; `until_date` is its last day, None without an end."""

    words: str
    certificate: str
    reason: str
    from_date: date
    until_date: date | None


def quantity_histories(company_id: UUID, keys: Iterable[str], *, before: date) -> Mapping[str, History]:
    """The company's quantities of these keys by day, those that begin before that day; unscoped."""
    found: dict[str, list[tuple[date, Decimal]]] = {}
    rows = QuantityHistory.objects.filter(company_id=company_id, key__in=list(keys), from_date__lt=before)
    for row in rows:
        found.setdefault(row.key, []).append((row.from_date, row.value.normalize()))
    return {key: tuple(entries) for key, entries in found.items()}


def tax_treatment(payer: BillableEntity, *, on: date, ahead: date) -> TaxTreatment:
    """How the payer is taxed for a period whose last day is `on`; unscoped.

    The status of that day; without one, an exemption that begins before `ahead`, the day after all that is
    billed in advance: the rules look at its days line by line.
    """
    rows = [row for row in payer.tax_statuses.order_by("from_date") if row.from_date < ahead]
    for row in rows:
        if row.from_date <= on and (row.until_date is None or on <= row.until_date):
            return _treatment(row, payer)
    later = [row for row in rows if row.from_date > on and row.kind == TaxStatus.Kind.EXEMPT]
    return _treatment(later[0], payer) if later else TAXED


def _treatment(row: TaxStatus, payer: BillableEntity) -> TaxTreatment:
    if row.kind == TaxStatus.Kind.REVERSE_CHARGE:
        return ReverseCharge(payer.tax_id, row.reason)
    return Exempt(row.certificate, row.from_date, row.until_date, row.reason)


def quantity_rows(company_id: UUID) -> tuple[QuantityRow, ...]:
    """The company's quantities over time, by key and day; callers have checked who may see them."""
    rows = QuantityHistory.objects.filter(company_id=company_id)
    return tuple(QuantityRow(row.key, row.from_date, row.value.normalize()) for row in rows)


def tax_status_rows(payer_id: UUID) -> tuple[TaxStatusRow, ...]:
    """The payer's tax statuses by day; callers have checked who may see them."""
    return tuple(
        TaxStatusRow(row.get_kind_display(), row.certificate, row.reason, row.from_date, row.until_date)
        for row in TaxStatus.objects.filter(payer_id=payer_id)
    )
