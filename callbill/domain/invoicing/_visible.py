"""Who sees which invoices, and whether whole (M32)."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing.models import Invoice
from callbill.rules.lifecycle import InvoiceStatus


def visible_invoices(viewer: Viewer) -> QuerySet[Invoice]:
    """Issued invoices with at least a section the viewer may see."""
    issued = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).select_related("payer")
    if viewer.is_staff:
        return issued
    return issued.filter(
        Q(payer__organization_id__in=viewer.organization_ids)
        | Q(payer__company_id__in=viewer.company_ids)
        | Q(sections__company_id__in=viewer.company_ids)
    ).distinct()


def sees_whole(viewer: Viewer, invoice: Invoice) -> bool:
    """Whether the viewer sees all sections of the invoice."""
    payer = invoice.payer
    return (
        viewer.is_staff
        or payer.company_id in viewer.company_ids
        or payer.organization_id in viewer.organization_ids
    )
