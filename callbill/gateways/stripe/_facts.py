"""The port's second half at Stripe: what is asked about money (GatewayFacts)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from stripe import StripeClient

from callbill.domain.payments.gateway import (
    ChargebackView,
    ChargeView,
    EventView,
    FraudWarningView,
    PayoutView,
    RefundView,
    TransactionView,
)
from callbill.gateways.stripe._client import client
from callbill.gateways.stripe._errors import in_our_words
from callbill.gateways.stripe._fact_views import (
    balance_view,
    charge_view,
    chargeback_view,
    event_view,
    payout_view,
    transaction_view,
    warning_view,
)
from callbill.gateways.stripe._views import refund_view
from callbill.lib.transactions import outside_transaction
from callbill.rules.money import Money

_PAGE = 100
View = TypeVar("View")


class StripeFacts:
    """Implements `callbill.domain.payments.gateway_facts.GatewayFacts`."""

    @cached_property
    def _client(self) -> StripeClient:
        return client()

    @outside_transaction
    def fetch_chargeback(self, *, reference: str) -> ChargebackView:
        """The Dispute now."""
        with in_our_words():
            return chargeback_view(self._client.v1.disputes.retrieve(reference).to_dict())

    @outside_transaction
    def fetch_fraud_warning(self, *, reference: str) -> FraudWarningView:
        """The early fraud warning."""
        with in_our_words():
            return warning_view(self._client.v1.radar.early_fraud_warnings.retrieve(reference).to_dict())

    @outside_transaction
    def fetch_charge(self, *, reference: str) -> ChargeView:
        """The Charge now."""
        with in_our_words():
            return charge_view(self._client.v1.charges.retrieve(reference).to_dict())

    def charges(self, *, since: datetime) -> Iterator[ChargeView]:
        """Charges by creation."""
        return _listed(self._client.v1.charges.list, charge_view, _since(since))

    def charges_of(self, *, intent: str) -> Iterator[ChargeView]:
        """Charges of a PaymentIntent."""
        return _listed(self._client.v1.charges.list, charge_view, {"payment_intent": intent})

    def refunds(self, *, since: datetime) -> Iterator[RefundView]:
        """Refunds by creation."""
        return _listed(self._client.v1.refunds.list, refund_view, _since(since))

    def chargebacks(self, *, since: datetime) -> Iterator[ChargebackView]:
        """Disputes by creation."""
        return _listed(self._client.v1.disputes.list, chargeback_view, _since(since))

    def transactions(self, *, since: datetime) -> Iterator[TransactionView]:
        """Balance transactions by creation."""
        return _listed(self._client.v1.balance_transactions.list, transaction_view, _since(since))

    def transactions_in(self, *, payout: str) -> Iterator[TransactionView]:
        """Balance transactions of an automatic payout; Stripe lists the payout's own among them."""
        listed = _listed(self._client.v1.balance_transactions.list, transaction_view, {"payout": payout})
        return (found for found in listed if found.source != payout)

    def transactions_of(self, *, source: str) -> Iterator[TransactionView]:
        """Balance transactions whose source it is."""
        return _listed(self._client.v1.balance_transactions.list, transaction_view, {"source": source})

    @outside_transaction
    def balance(self) -> tuple[Money, ...]:
        """The Balance: available and pending together, by currency (docs.stripe.com/api/balance)."""
        with in_our_words():
            return balance_view(self._client.v1.balance.retrieve().to_dict())

    @outside_transaction
    def fetch_payout(self, *, reference: str) -> PayoutView:
        """The Payout now."""
        with in_our_words():
            return payout_view(self._client.v1.payouts.retrieve(reference).to_dict())

    def payouts(self, *, since: datetime) -> Iterator[PayoutView]:
        """Payouts by creation."""
        return _listed(self._client.v1.payouts.list, payout_view, _since(since))

    def events(self, *, since: datetime) -> Iterator[EventView]:
        """Events by creation; Stripe keeps 30 days (docs.stripe.com/api/events/list)."""
        return _listed(self._client.v1.events.list, event_view, _since(since))


def _since(moment: datetime) -> dict[str, Any]:
    return {"created": {"gte": int(moment.timestamp())}}


@outside_transaction
def _page(ask: Callable[[dict[str, Any]], Any], given: dict[str, Any]) -> Any:
    with in_our_words():
        return ask(given)


def _listed(
    ask: Callable[[Any], Any], made: Callable[[dict[str, Any]], View], given: dict[str, Any]
) -> Iterator[View]:
    """Page by page, each asked for when it is needed and outside a transaction."""
    given = {**given, "limit": _PAGE}
    while True:
        page = _page(ask, given)
        rows = [row.to_dict() for row in page.data]
        yield from (made(row) for row in rows)
        if not page.has_more or not rows:
            return
        given = {**given, "starting_after": rows[-1]["id"]}
