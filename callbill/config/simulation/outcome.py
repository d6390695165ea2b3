"""What came of a story, day by day, without ids: the digest that a replay must repeat."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Sum

from callbill.config.simulation.figures import Figures
from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.ledger.models import Posting
from callbill.domain.notifications.models import Notification
from callbill.domain.payments.models import PaymentAttempt, Refund
from callbill.domain.usage.models import Call

if TYPE_CHECKING:
    from callbill.config.simulation.world import World


class Book:
    """A page for each day; the digest is over all of them."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.pages: list[str] = []

    @property
    def digest(self) -> str:
        """Of all pages so far."""
        return self._hash.hexdigest()[:16]

    def write(self, day: int, world: World) -> None:
        """Write the day's page: what people were told, and how everything stands in the evening."""
        page = json.dumps([day, _how_it_stands(), world.lived.diary], sort_keys=True, default=str)
        world.lived.diary = []
        self.pages.append(page)
        if not world.weather.left_to_the_machine:
            self._hash.update(page.encode())


def _how_it_stands() -> dict[str, Any]:
    payers = ("payer__company__key", "payer__organization__key")
    invoices = Invoice.objects.order_by("number").values_list(
        "number", *payers, "first_day", "status", "total_minor", "paid_minor", "credited_minor"
    )
    attempts = PaymentAttempt.objects.order_by("invoice__number", "created_at", "id").values_list(
        "invoice__number", "trigger", "state", "amount_minor", "code", "decline_code"
    )
    refunds = Refund.objects.order_by("credit_note__number", "created_at").values_list(
        "credit_note__number", "state", "amount_minor"
    )
    sums = Posting.objects.values_list("account", "currency").annotate(Sum("amount_minor"))
    mails = Notification.objects.values_list("kind").annotate(Count("id"), Count("sent_at"))
    return {
        "invoices": list(invoices),
        "credit notes": list(CreditNote.objects.order_by("number").values_list("number", "total_minor")),
        "attempts": list(attempts),
        "refunds": list(refunds),
        "ledger": list(sums.order_by("account", "currency")),
        "mails": list(mails.order_by("kind")),
    }


def count(world: World, figures: Figures) -> None:
    """The figures of the world as it stands."""
    figures.calls = Call.objects.count()
    figures.invoices = Invoice.objects.count()
    figures.attempts = PaymentAttempt.objects.count()
    figures.charges = PaymentAttempt.objects.filter(state="succeeded").count()
    figures.mails = Notification.objects.filter(sent_at__isnull=False).count()
    figures.unknown = world.recoveries.unknown
