"""The port's verbs, said to Stripe through the SDK. Parameters follow API version 2026-10-28.endive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from stripe import InvalidRequestError

from callbill.domain.payments.gateway import (
    CardSetupView,
    CardView,
    EventView,
    IntentView,
    NotAccepted,
    PageSettings,
    RefundView,
)
from callbill.gateways.stripe import _events
from callbill.gateways.stripe._errors import in_our_words
from callbill.gateways.stripe._facts import StripeFacts
from callbill.gateways.stripe._views import card_view, intent_view, refund_view, setup_view, to_stripe
from callbill.lib.transactions import outside_transaction
from callbill.rules.money import Money

_PAGE = 100


class StripeGateway(StripeFacts):
    """Implements `callbill.domain.payments.gateway.Gateway`."""

    def page_settings(self) -> PageSettings:
        """The publishable key and the address of Stripe.js. Raises NotAccepted without a key."""
        if not settings.STRIPE_PUBLISHABLE_KEY:
            raise NotAccepted("No publishable Stripe key is configured. Set STRIPE_PUBLISHABLE_KEY.")
        return PageSettings(settings.STRIPE_PUBLISHABLE_KEY, settings.STRIPE_JS_URL)

    def dispute_page(self, *, reference: str) -> str:
        """The Dashboard's page of a dispute; beside the sandbox, its list of disputes."""
        if settings.STRIPE_API_BASE:
            return f"{settings.STRIPE_API_BASE.rstrip('/')}/disputes"
        mode = "" if "_live_" in settings.STRIPE_SECRET_KEY else "test/"
        return f"https://dashboard.stripe.com/{mode}disputes/{reference}"

    @outside_transaction
    def create_customer(self, *, name: str, metadata: Mapping[str, str], key: str) -> str:
        """A Customer; returns its id."""
        with in_our_words():
            made = self._client.v1.customers.create({"name": name, "metadata": dict(metadata)}, _key(key))
        return made.id

    @outside_transaction
    def start_card_setup(self, *, customer: str, metadata: Mapping[str, str], key: str) -> CardSetupView:
        """A SetupIntent for charges without the customer present."""
        with in_our_words():
            made = self._client.v1.setup_intents.create(
                {
                    "customer": customer,
                    "usage": "off_session",
                    "allowed_payment_method_types": ["card"],
                    "metadata": dict(metadata),
                },
                _key(key),
            )
        return setup_view(made.to_dict())

    @outside_transaction
    def card_setup_result(self, *, reference: str) -> CardSetupView:
        """The SetupIntent now, with its PaymentMethod."""
        with in_our_words():
            found = self._client.v1.setup_intents.retrieve(reference, {"expand": ["payment_method"]})
        return setup_view(found.to_dict())

    @outside_transaction
    def cards(self, *, customer: str) -> tuple[CardView, ...]:
        """The PaymentMethods of type card attached to the Customer."""
        with in_our_words():
            found = self._client.v1.payment_methods.list(
                {"customer": customer, "type": "card", "limit": _PAGE}
            )
            return tuple(card_view(method.to_dict()) for method in found.auto_paging_iter())

    @outside_transaction
    def card(self, *, reference: str) -> CardView:
        """One PaymentMethod."""
        with in_our_words():
            return card_view(self._client.v1.payment_methods.retrieve(reference).to_dict())

    @outside_transaction
    def detach_card(self, *, reference: str, key: str) -> None:
        """Detach the PaymentMethod; one that is detached or gone already is left alone."""
        with in_our_words():
            try:
                self._client.v1.payment_methods.detach(reference, options=_key(key))
            except InvalidRequestError:
                if self._client.v1.payment_methods.retrieve(reference).customer is not None:
                    raise

    @outside_transaction
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
        """A PaymentIntent that is not confirmed: no money moves. Raises TooSmall."""
        given: dict[str, Any] = {
            "amount": to_stripe(amount),
            "currency": amount.currency.lower(),
            "customer": customer,
            "allowed_payment_method_types": ["card"],
            "description": description,
            "metadata": dict(metadata),
        }
        if statement_suffix:
            given["statement_descriptor_suffix"] = statement_suffix
        with in_our_words():
            made = self._client.v1.payment_intents.create(given, _key(key))  # type: ignore[arg-type]
        return intent_view(made.to_dict())

    @outside_transaction
    def find_intent(self, *, customer: str, intent_id: str) -> IntentView | None:
        """Looks through the Customer's PaymentIntents; the search API is not read-after-write safe."""
        with in_our_words():
            found = self._client.v1.payment_intents.list({"customer": customer, "limit": _PAGE})
            for intent in found.auto_paging_iter():
                view = intent_view(intent.to_dict())
                if view.intent_id == intent_id:
                    return view
        return None

    @outside_transaction
    def fetch_intent(self, *, reference: str) -> IntentView:
        """The PaymentIntent now."""
        with in_our_words():
            return intent_view(self._client.v1.payment_intents.retrieve(reference).to_dict())

    @outside_transaction
    def change_amount(self, *, reference: str, amount: Money, key: str) -> IntentView:
        """Update the PaymentIntent's amount. Raises TooSmall."""
        with in_our_words():
            made = self._client.v1.payment_intents.update(reference, {"amount": to_stripe(amount)}, _key(key))
        return intent_view(made.to_dict())

    @outside_transaction
    def cancel_intent(self, *, reference: str, key: str) -> IntentView:
        """Cancel the PaymentIntent."""
        with in_our_words():
            made = self._client.v1.payment_intents.cancel(reference, {}, _key(key))
        return intent_view(made.to_dict())

    @outside_transaction
    def confirm(self, *, reference: str, card: str, key: str) -> IntentView:
        """Confirm the PaymentIntent with the card, off-session. Raises Declined."""
        with in_our_words():
            done = self._client.v1.payment_intents.confirm(
                reference, {"payment_method": card, "off_session": True}, _key(key)
            )
        return intent_view(done.to_dict())

    @outside_transaction
    def refund(self, *, charge: str, amount: Money, metadata: Mapping[str, str], key: str) -> RefundView:
        """A Refund of the Charge."""
        with in_our_words():
            made = self._client.v1.refunds.create(
                {"charge": charge, "amount": to_stripe(amount), "metadata": dict(metadata)}, _key(key)
            )
        return refund_view(made.to_dict())

    @outside_transaction
    def find_refund(self, *, intent: str, refund_id: str) -> RefundView | None:
        """Looks through the PaymentIntent's Refunds."""
        with in_our_words():
            found = self._client.v1.refunds.list({"payment_intent": intent, "limit": _PAGE})
            for refund in found.auto_paging_iter():
                view = refund_view(refund.to_dict())
                if view.refund_id == refund_id:
                    return view
        return None

    @outside_transaction
    def fetch_refund(self, *, reference: str) -> RefundView:
        """The Refund now."""
        with in_our_words():
            return refund_view(self._client.v1.refunds.retrieve(reference).to_dict())

    def verify_event(self, *, payload: bytes, signature: str, now: datetime) -> EventView:
        """Check a webhook against every configured secret. Raises BadSignature."""
        return _events.verified(payload, signature, settings.STRIPE_WEBHOOK_SECRETS, now)


def _key(key: str) -> Any:
    return {"idempotency_key": key}
