"""Until which day a company has been billed."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from callbill.domain.invoicing.models import InvoiceSection
from callbill.rules.lifecycle import InvoiceStatus


def billed_until(company_id: UUID) -> date | None:
    """The first day of the company that no invoice has billed; None if none has. Void ones bill nothing."""
    sections = InvoiceSection.objects.filter(company_id=company_id).exclude(
        invoice__status__in=[InvoiceStatus.DRAFT, InvoiceStatus.VOID]
    )
    return sections.order_by("-invoice__end_day").values_list("invoice__end_day", flat=True).first()
