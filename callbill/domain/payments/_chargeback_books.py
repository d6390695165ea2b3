"""What disputed charges come to, payer by payer, for comparing with the ledger and with what invoices say."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db.models import F, Sum

from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.queries import BooksDifference
from callbill.domain.payments.models import Chargeback
from callbill.rules.money import Money

_PAYER = "attempt__invoice__payer_id"


def at_bank() -> dict[tuple[UUID, str], int]:
    """What banks took and have not decided for good, in minor units by payer and currency."""
    held = Sum(F("withdrawn_minor") - F("lost_minor") + F("surplus_minor"))
    rows = Chargeback.objects.order_by().values_list(_PAYER, "currency").annotate(held=held)
    return {(payer, currency): minor for payer, currency, minor in rows}


def credited() -> dict[tuple[UUID, str], int]:
    """What banks gave back and became credit balance, in minor units by payer and currency."""
    rows = Chargeback.objects.filter(surplus_minor__gt=0).order_by().values_list(_PAYER, "currency")
    return {(payer, currency): minor for payer, currency, minor in rows.annotate(all=Sum("surplus_minor"))}


def owed_again_differences() -> Iterator[BooksDifference]:
    """Every payer whose invoices do not say that again is owed what banks took for good."""
    lost = Chargeback.objects.order_by().values_list(_PAYER, "currency").annotate(all=Sum("lost_minor"))
    owed = Invoice.objects.filter(charged_back_minor__gt=0).order_by().values_list("payer_id", "currency")
    by_chargebacks = {(payer, currency): minor for payer, currency, minor in lost}
    by_invoices = {
        (payer, currency): minor for payer, currency, minor in owed.annotate(all=Sum("charged_back_minor"))
    }
    for payer, currency in {*by_chargebacks, *by_invoices}:
        taken = by_chargebacks.get((payer, currency), 0)
        again = by_invoices.get((payer, currency), 0)
        if taken != again:
            yield BooksDifference(payer, "charged back", Money(taken, currency), Money(again, currency))
