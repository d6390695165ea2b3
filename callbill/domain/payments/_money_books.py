"""What refunds on their way and bank payments come to, payer by payer, for comparing with the ledger."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Sum

from callbill.domain.payments.models import LIVE_REFUNDS, BankPayment, Refund


def going_back() -> dict[tuple[UUID, str], int]:
    """What is on its way from credit balances to cards; owed, so a credit. Minor units by payer, currency."""
    rows = Refund.objects.filter(state__in=LIVE_REFUNDS).order_by()
    sums = rows.values_list("credit_note__invoice__payer_id", "currency").annotate(total=Sum("amount_minor"))
    return {(payer_id, currency): -minor for payer_id, currency, minor in sums}


def banked() -> dict[tuple[UUID, str], int]:
    """What came by bank and was not taken back, in minor units by payer and currency."""
    rows = BankPayment.objects.filter(returned_at=None).order_by()
    sums = rows.values_list("invoice__payer_id", "currency").annotate(total=Sum("amount_minor"))
    return {(payer_id, currency): minor for payer_id, currency, minor in sums}
