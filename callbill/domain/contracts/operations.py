"""What changes about contracts, and loading customers with theirs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from callbill.domain.contracts._loading import LoadReport, load_customers
from callbill.domain.contracts._loading_dated import BilledUntil
from callbill.domain.contracts._loading_file import CustomersFile, FileRefused, read_customers_file
from callbill.domain.contracts._versions import ContractRefused, add_version
from callbill.domain.contracts.models import ContractVersion

__all__ = [
    "BilledUntil",
    "ContractRefused",
    "CustomersFile",
    "FileRefused",
    "LoadReport",
    "add_version",
    "load_customers",
    "mark_billed",
    "read_customers_file",
]


def mark_billed(*, version_ids: Iterable[UUID], now: datetime) -> None:
    """Freeze versions at their first invoice (M8)."""
    ContractVersion.objects.filter(id__in=list(version_ids), first_billed_at__isnull=True).update(
        first_billed_at=now
    )
