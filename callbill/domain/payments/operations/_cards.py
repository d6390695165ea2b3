"""Saved cards: opening the form, keeping its result, default, agreeing again, removing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from callbill.domain.customers import queries as customers
from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import NotFound, Viewer, payer_seen_by, require_administrator
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _mandate
from callbill.domain.payments._consents import mandate_text
from callbill.domain.payments._metadata import environment, metadata
from callbill.domain.payments._new_card import plan_after_consent, plan_for_new_card
from callbill.domain.payments._saving import keep_card, lock_payer
from callbill.domain.payments._views import SavedCard, saved_card
from callbill.domain.payments.gateway import gateway
from callbill.domain.payments.models import (
    LIVE_STATES,
    CardConsent,
    CardSetup,
    GatewayCustomer,
    PaymentAttempt,
    PaymentMethod,
)
from callbill.domain.payments.operations._card_care import forget_at_gateway
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.lifecycle import OWED


class CardRefused(Exception):
    """The card cannot be made default or removed; the message says why and what to do first."""


@dataclass(frozen=True, slots=True)
class CardForm:
    """What the card page needs. The secret is for this one form in this one browser."""

    setup_id: UUID
    client_secret: str = field(repr=False)
    publishable_key: str
    script_url: str
    mandate: str


@outside_transaction
def start_card_setup(*, viewer: Viewer, payer_id: UUID, ip: str | None, now: datetime) -> CardForm:
    """Open a card form for the payer; `ip` is kept with the consent given in it.

    Raises NotFound, NotAllowed (only the payer's billing administrators), GatewayError.
    """
    payer = payer_seen_by(viewer, payer_id)
    require_administrator(viewer, payer)
    page = gateway().page_settings()
    setup = _start(payer, viewer, ip, now)
    view = gateway().start_card_setup(
        customer=_known_customer(payer),
        metadata=metadata(environment(), payer=payer.id, setup=setup.id),
        key=f"seti:{setup.id}",
    )
    CardSetup.objects.filter(id=setup.id, reference=None).update(reference=view.reference)
    return CardForm(
        setup_id=setup.id,
        client_secret=view.client_secret,
        publishable_key=page.publishable_key,
        script_url=page.script_url,
        mandate=setup.mandate_text,
    )


@in_transaction
def _start(payer: BillableEntity, viewer: Viewer, ip: str | None, now: datetime) -> CardSetup:
    GatewayCustomer.objects.get_or_create(payer=payer, defaults={"environment": environment()})
    return CardSetup.objects.create(
        payer=payer,
        started_by_id=viewer.user_id,
        started_at=now,
        mandate_version=_mandate.CURRENT,
        mandate_text=mandate_text(payer.name),
        ip_address=ip,
    )


def _known_customer(payer: BillableEntity) -> str:
    """The payer's reference at the gateway, made on first need."""
    customer = GatewayCustomer.objects.get(payer=payer)
    if customer.reference is None:
        made = gateway().create_customer(
            name=payer.legal_name,
            metadata=metadata(customer.environment, payer=payer.id),
            key=f"cus:{customer.id}",
        )
        GatewayCustomer.objects.filter(id=customer.id, reference=None).update(reference=made)
        customer.refresh_from_db()
    return customer.reference or ""


@outside_transaction
def finish_card_setup(*, viewer: Viewer, setup_id: UUID | str, now: datetime) -> SavedCard | None:
    """Keep the card of a form, by our id or the gateway's reference; asked of the gateway, not the browser.

    None while the form was not completed. The same form twice gives the same card. Raises NotFound,
    NotAllowed, GatewayError.
    """
    setups = CardSetup.objects.filter(payer__in=customers.visible_payers(viewer))
    by_id = isinstance(setup_id, UUID)
    setup = setups.filter(id=setup_id).first() if by_id else setups.filter(reference=setup_id).first()
    if setup is None or setup.reference is None:
        raise NotFound("There is no such card form.")
    require_administrator(viewer, setup.payer)
    card = keep_card(setup=setup, view=gateway().card_setup_result(reference=setup.reference), now=now)
    return saved_card(card, today=now.date()) if card else None


def _seen_card(viewer: Viewer, card_id: UUID) -> PaymentMethod:
    """A card that the viewer keeps, not locked. Raises NotFound, NotAllowed."""
    card = (
        PaymentMethod.objects.filter(id=card_id, removed_at=None, payer__in=customers.visible_payers(viewer))
        .select_related("payer__company", "payer__organization")
        .first()
    )
    if card is None:
        raise NotFound("There is no such card.")
    require_administrator(viewer, card.payer)
    return card


def _locked_card(card_id: UUID) -> PaymentMethod:
    """The card, locked, its payer being locked already. Raises NotFound if it was removed meanwhile."""
    card = PaymentMethod.objects.select_for_update().filter(id=card_id, removed_at=None).first()
    if card is None:
        raise NotFound("There is no such card.")
    return card


@in_transaction
def make_default(*, viewer: Viewer, card_id: UUID, now: datetime) -> SavedCard:
    """From now on this card is charged for new invoices, and for what is past due if payer or seller want so.

    Raises NotFound, NotAllowed, CardRefused (its holder must first agree to charges again).
    """
    payer = lock_payer(_seen_card(viewer, card_id).payer_id)
    was = PaymentMethod.objects.filter(payer=payer, is_default=True).values_list("id", flat=True).first()
    if was != card_id:
        plan_for_new_card(payer, now)
    card = _locked_card(card_id)
    if card.needs_consent_since:
        raise CardRefused("Your bank replaced this card. Agree to its use again, then make it the default.")
    PaymentMethod.objects.filter(payer=payer, is_default=True).exclude(id=card.id).update(is_default=False)
    card.is_default = True
    card.save(update_fields=["is_default"])
    return saved_card(card, today=now.date())


@in_transaction
def agree_to_card(*, viewer: Viewer, card_id: UUID, ip: str | None, now: datetime) -> SavedCard:
    """Somebody agrees again to charges of a card that its issuer replaced; who, when and from where is kept.

    What was not charged for want of that is planned for now. Agreeing twice changes nothing. Raises
    NotFound, NotAllowed (only the payer's billing administrators).
    """
    payer = lock_payer(_seen_card(viewer, card_id).payer_id)
    replaced = PaymentMethod.objects.filter(id=card_id, needs_consent_since__isnull=False).first()
    if replaced is not None and replaced.is_default:
        plan_after_consent(payer.id, now)
    card = _locked_card(card_id)
    if card.needs_consent_since:
        CardConsent.objects.create(
            payment_method=card,
            mandate_version=_mandate.CURRENT_AGAIN,
            mandate_text=mandate_text(payer.name, again=True),
            given_by_id=viewer.user_id,
            given_at=now,
            ip_address=ip,
        )
        card.needs_consent_since = None
        card.save(update_fields=["needs_consent_since"])
    return saved_card(card, today=now.date())


@outside_transaction
def remove_card(*, viewer: Viewer, card_id: UUID, now: datetime) -> None:
    """Forget a card, here and at the gateway; if the gateway does not answer it is asked again by itself.

    Raises NotFound, NotAllowed, CardRefused: the default card goes last, and not while something is owed.
    """
    forget_at_gateway(_remove(viewer, card_id, now), now)


@in_transaction
def _remove(viewer: Viewer, card_id: UUID, now: datetime) -> PaymentMethod:
    lock_payer(_seen_card(viewer, card_id).payer_id)
    card = _locked_card(card_id)
    if PaymentAttempt.objects.filter(payment_method=card, state__in=LIVE_STATES).exists():
        raise CardRefused(
            "A payment with this card is under way, or waits to be confirmed. Confirm it, or pay with "
            "another card first."
        )
    if card.is_default:
        others = PaymentMethod.objects.filter(payer_id=card.payer_id, removed_at=None).exclude(id=card.id)
        if others.exists():
            raise CardRefused("This is your default card. Make another card the default first.")
        owed = Invoice.objects.filter(payer_id=card.payer_id, status__in=OWED)
        if any(invoice.due_minor for invoice in owed):
            raise CardRefused(
                "This is your only card and an invoice is not paid yet. Add another card first."
            )
    card.is_default = False
    card.removed_at = now
    card.save(update_fields=["is_default", "removed_at"])
    return card
