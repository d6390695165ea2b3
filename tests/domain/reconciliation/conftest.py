"""A shop whose sandbox keeps the same time as the product, so that both sides' days agree."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations as payments
from callbill.domain.reconciliation.models import Difference, ReconciliationRun
from callbill.domain.reconciliation.operations import reconcile
from stripe_sandbox.handle import Handle
from tests.domain import world
from tests.domain.payments.conftest import one_sandbox, sandbox
from tests.domain.payments.shop import VISA, Shop

__all__ = ["one_sandbox", "sandbox"]
PAID_AT = world.at("2026-02-10T15:00")
NIGHT = world.at("2026-02-11T04:00")


class Counter(Shop):
    """A shop that looks over its books at night."""

    def at(self, moment: datetime) -> None:
        """Let it be this moment at Stripe."""
        self.sandbox.set_clock(moment.isoformat())
        self.sandbox.wait_until_idle()

    def paid(self, token: str = VISA, *, month: int = 1, calls: int = 100) -> Invoice:
        """An invoice (over 135.00 for 100 calls) that the card paid."""
        if month == 1:
            self.at(PAID_AT)
            self.add_card(token, default=True)
        invoice = self.bill(calls, month=month)
        assert payments.collect_due(now=PAID_AT).problems == []
        invoice.refresh_from_db()
        assert invoice.status == "paid"
        return invoice

    def charge_of(self, invoice: Invoice) -> str:
        """The charge that paid it."""
        return str(self.attempt(invoice).charge)

    def charge_by_hand(
        self,
        minor: int,
        *,
        customer: str | None = None,
        invoice: Invoice | None = None,
        currency: str = "usd",
    ) -> str:
        """Somebody charges a customer of ours at Stripe, not through us; returns the charge."""
        card = self.payer.payment_methods.get(is_default=True) if customer is None else None
        made = self.stripe.v1.payment_intents.create(
            {
                "amount": minor,
                "currency": currency,
                "customer": customer or str(self.payer.gateway_customer.reference),
                "payment_method": card.reference if card else self._card_of(customer or ""),
                "confirm": True,
                "off_session": True,
                "allowed_payment_method_types": ["card"],
                "metadata": {"invoice": str(invoice.id)} if invoice else {},
            }
        )
        return str(made.latest_charge)

    def _card_of(self, customer: str) -> str:
        return str(self.stripe.v1.payment_methods.attach(VISA, {"customer": customer}).id)

    def stranger(self) -> str:
        """A customer in the same Stripe account that we do not know."""
        return str(self.stripe.v1.customers.create({"name": "Somebody else"}).id)

    def refund_by_hand(self, charge: str, minor: int | None = None) -> str:
        """Somebody refunds at Stripe."""
        given: Any = {"charge": charge, **({"amount": minor} if minor else {})}
        return str(self.stripe.v1.refunds.create(given).id)

    def reconcile(self, now: datetime = NIGHT, **how: Any) -> ReconciliationRun:
        """The nightly run, ended well."""
        self.at(now)
        run = reconcile(now=now, **how)
        assert run.problem == ""
        assert run.finished_at == now
        return run

    def kinds(self) -> list[str]:
        """The kinds of differences that are open."""
        return sorted(Difference.objects.filter(gone_at=None).values_list("kind", flat=True))

    def difference(self, kind: str) -> Difference:
        """The one open difference of a kind."""
        return Difference.objects.get(kind=kind, gone_at=None)


@pytest.fixture
def shop(sandbox: Handle, transactional_db: None) -> Counter:
    """Acme, its administrator and a member of staff."""
    return Counter(sandbox)
