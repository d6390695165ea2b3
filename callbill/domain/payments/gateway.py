"""The port: what we ask of whoever charges cards for us, in our words.

`settings.PAYMENT_GATEWAY` names the class behind it (`callbill.gateways.stripe`). Every verb talks to the
outside and so refuses to run inside a transaction, except `page_settings`, `dispute_page` and `verify_event`.
A `key` makes a verb safe to repeat: the same key never does the thing twice while the other side remembers it
(24 hours).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from callbill.domain.payments.gateway_facts import (
    ChargebackMove,
    ChargebackStatus,
    ChargebackView,
    ChargeView,
    FraudWarningView,
    GatewayFacts,
    PayoutView,
    TransactionView,
)
from callbill.domain.payments.gateway_views import (
    CardSetupView,
    CardView,
    EventView,
    IntentStatus,
    IntentView,
    PageSettings,
    RefundStatus,
    RefundView,
    RefusalCodes,
)
from callbill.rules.money import Money

__all__ = [
    "BadSignature",
    "CardSetupView",
    "CardView",
    "ChargeView",
    "ChargebackMove",
    "ChargebackStatus",
    "ChargebackView",
    "Declined",
    "EventView",
    "FraudWarningView",
    "Gateway",
    "GatewayError",
    "GatewayFacts",
    "IntentStatus",
    "IntentView",
    "MovedOn",
    "NotAccepted",
    "NotThere",
    "OurMistake",
    "OutcomeUnknown",
    "PageSettings",
    "PayoutView",
    "RefundStatus",
    "RefundView",
    "RefusalCodes",
    "TooSmall",
    "TransactionView",
    "TryLater",
    "gateway",
]


class GatewayError(Exception):
    """The other side did not do it; the message is for staff and holds no card data."""


class Declined(GatewayError):
    """The bank refused the charge; an answer, not a fault. `view` is the payment after it."""

    def __init__(self, codes: RefusalCodes, view: IntentView | None) -> None:
        self.codes = codes
        self.view = view
        super().__init__(f"declined: {codes.code} {codes.decline_code} {codes.advice_code}".strip())


class OutcomeUnknown(GatewayError):
    """No answer, or none that says what happened: ask before doing anything else."""


class MovedOn(OutcomeUnknown):
    """Refused, because the payment does not stand as it must for this: somebody else moved it on."""


class TryLater(GatewayError):
    """Too busy, or the same thing is being done at this moment; nothing was done by this call."""


class TooSmall(GatewayError):
    """The amount is less than can be charged in its currency."""


class ChargedBack(GatewayError):
    """The charge is disputed, so it cannot be refunded: the cardholder's bank has taken it back already."""


class OurMistake(GatewayError):
    """We asked for something impossible. Never the customer's fault (M29); staff must look."""


class NotThere(OurMistake):
    """The other side knows nothing under that name: it is another account's, or it is gone."""


class NotAccepted(OurMistake):
    """The key is missing, wrong or lacks a right: nothing will work until staff mend it."""


class BadSignature(GatewayError):
    """An event that is not what it claims to be, or too old."""


class Gateway(GatewayFacts, Protocol):
    """What we need done about cards. Any verb may raise OutcomeUnknown, TryLater, OurMistake, NotAccepted."""

    def page_settings(self) -> PageSettings:
        """What the card page needs. Raises NotAccepted if no key is configured."""

    def dispute_page(self, *, reference: str) -> str:
        """The address at the other side where staff answer a dispute; asks nobody."""

    def create_customer(self, *, name: str, metadata: Mapping[str, str], key: str) -> str:
        """Make the payer known; returns its reference."""

    def start_card_setup(self, *, customer: str, metadata: Mapping[str, str], key: str) -> CardSetupView:
        """Open a card form for later charges without the customer present."""

    def card_setup_result(self, *, reference: str) -> CardSetupView:
        """What became of a card form."""

    def cards(self, *, customer: str) -> tuple[CardView, ...]:
        """The customer's saved cards, newest first."""

    def card(self, *, reference: str) -> CardView:
        """One saved card; its `customer` is empty once it is detached."""

    def detach_card(self, *, reference: str, key: str) -> None:
        """Forget a saved card. Forgetting one that is gone already is no error."""

    def create_intent(
        self,
        *,
        customer: str,
        amount: Money,
        description: str,
        statement_suffix: str,
        metadata: Mapping[str, str],
        key: str,
    ) -> IntentView:
        """Prepare a payment; charges nothing yet. Raises TooSmall."""

    def find_intent(self, *, customer: str, intent_id: str) -> IntentView | None:
        """The customer's payment whose metadata has our id, or None."""

    def fetch_intent(self, *, reference: str) -> IntentView:
        """The payment as it is now."""

    def change_amount(self, *, reference: str, amount: Money, key: str) -> IntentView:
        """Ask for another amount; only while nothing is under way. Raises TooSmall, MovedOn."""

    def cancel_intent(self, *, reference: str, key: str) -> IntentView:
        """Give the payment up, so that it can never be charged."""

    def confirm(self, *, reference: str, card: str, key: str) -> IntentView:
        """Charge the card, with nobody present. Raises Declined."""

    def refund(self, *, charge: str, amount: Money, metadata: Mapping[str, str], key: str) -> RefundView:
        """Give a part of a charge back to its card, or all. Raises OurMistake for more than is left."""

    def find_refund(self, *, intent: str, refund_id: str) -> RefundView | None:
        """The payment's refund whose metadata has our id, or None."""

    def fetch_refund(self, *, reference: str) -> RefundView:
        """The refund as it is now."""

    def verify_event(self, *, payload: bytes, signature: str, now: datetime) -> EventView:
        """Check an event's signature and age (at most 300 s from `now`). Raises BadSignature."""


@lru_cache(maxsize=1)
def _made(path: str) -> Gateway:
    return cast(Gateway, import_string(path)())


def gateway() -> Gateway:
    """The gateway that settings.PAYMENT_GATEWAY names, made once per process."""
    return _made(settings.PAYMENT_GATEWAY)
