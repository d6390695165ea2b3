"""Saved cards: opening the form, keeping its result, default, removing, and warning before they expire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from callbill.domain.customers import queries as customers
from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import NotFound, Viewer, payer_seen_by, require_administrator
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _mandate, _notices
from callbill.domain.payments._alerts import alert
from callbill.domain.payments._saving import keep_card, lock_payer
from callbill.domain.payments._views import SavedCard, saved_card
from callbill.domain.payments.gateway import GatewayError, gateway
from callbill.domain.payments.models import (
    LIVE_STATES,
    CardSetup,
    GatewayCustomer,
    PaymentAttempt,
    PaymentMethod,
)
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.lifecycle import InvoiceStatus

_WARN_BEFORE = timedelta(days=30)
_OWED = (InvoiceStatus.OPEN.value, InvoiceStatus.PAST_DUE.value)


class CardRefused(Exception):
    """The card cannot be made default or removed; the message says why and what to do first."""


@dataclass(frozen=True, slots=True)
class CardForm:
    """What the card page needs. The secret is for this one form in this one browser."""

    setup_id: UUID
    client_secret: str
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
        metadata={"payer": str(payer.id), "setup": str(setup.id)},
        key=f"seti:{setup.id}",
    )
    CardSetup.objects.filter(id=setup.id, reference=None).update(reference=view.reference)
    return CardForm(
        setup_id=setup.id,
        client_secret=view.client_secret,
        publishable_key=page.publishable_key,
        script_url=page.script_url,
        mandate=_mandate.text(_mandate.CURRENT, seller=customers.seller().name, payer=payer.name),
    )


@in_transaction
def _start(payer: BillableEntity, viewer: Viewer, ip: str | None, now: datetime) -> CardSetup:
    GatewayCustomer.objects.get_or_create(payer=payer)
    return CardSetup.objects.create(
        payer=payer,
        started_by_id=viewer.user_id,
        started_at=now,
        mandate_version=_mandate.CURRENT,
        ip_address=ip,
    )


def _known_customer(payer: BillableEntity) -> str:
    """The payer's reference at the gateway, made on first need."""
    customer = GatewayCustomer.objects.get(payer=payer)
    if customer.reference is None:
        made = gateway().create_customer(
            name=payer.legal_name, metadata={"payer": str(payer.id)}, key=f"cus:{customer.id}"
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


def _card_of(viewer: Viewer, card_id: UUID) -> PaymentMethod:
    """The viewer's card, its payer locked. Raises NotFound, NotAllowed."""
    card = (
        PaymentMethod.objects.filter(id=card_id, removed_at=None, payer__in=customers.visible_payers(viewer))
        .select_related("payer__company", "payer__organization")
        .first()
    )
    if card is None:
        raise NotFound("There is no such card.")
    require_administrator(viewer, card.payer)
    lock_payer(card.payer_id)
    card = PaymentMethod.objects.select_for_update().filter(id=card_id, removed_at=None).first()
    if card is None:
        raise NotFound("There is no such card.")
    return card


@in_transaction
def make_default(*, viewer: Viewer, card_id: UUID, now: datetime) -> SavedCard:
    """From now on this card is charged for new invoices. Raises NotFound, NotAllowed."""
    card = _card_of(viewer, card_id)
    PaymentMethod.objects.filter(payer_id=card.payer_id, is_default=True).exclude(id=card.id).update(
        is_default=False
    )
    card.is_default = True
    card.save(update_fields=["is_default"])
    return saved_card(card, today=now.date())


@outside_transaction
def remove_card(*, viewer: Viewer, card_id: UUID, now: datetime) -> None:
    """Forget a card, here and at the gateway.

    Raises NotFound, NotAllowed, CardRefused: the default card goes last, and not while something is owed.
    """
    card = _remove(viewer, card_id, now)
    try:
        gateway().detach_card(reference=card.reference, key=f"detach:{card.id}")
    except GatewayError as error:
        # It is not used any more; that the gateway still knows it is for staff to tidy up.
        alert(
            key=f"card-not-detached:{card.id}",
            kind="card_not_detached",
            message=f"Card {card.reference} was removed here but not at the gateway: {error}",
            now=now,
        )


@in_transaction
def _remove(viewer: Viewer, card_id: UUID, now: datetime) -> PaymentMethod:
    card = _card_of(viewer, card_id)
    if PaymentAttempt.objects.filter(payment_method=card, state__in=LIVE_STATES).exists():
        raise CardRefused("A payment with this card is under way. Remove it when the payment has ended.")
    if card.is_default:
        others = PaymentMethod.objects.filter(payer_id=card.payer_id, removed_at=None).exclude(id=card.id)
        if others.exists():
            raise CardRefused("This is your default card. Make another card the default first.")
        owed = Invoice.objects.filter(payer_id=card.payer_id, status__in=_OWED)
        if any(invoice.due_minor for invoice in owed):
            raise CardRefused(
                "This is your only card and an invoice is not paid yet. Add another card first."
            )
    card.is_default = False
    card.removed_at = now
    card.save(update_fields=["is_default", "removed_at"])
    return card


@in_transaction
def card_expiry_notices(*, now: datetime) -> int:
    """Warn of default cards that expire within 30 days or before the next billing cycle; once per expiry.

    Returns how many cards are in that state, warned of now or before.
    """
    found = 0
    defaults = PaymentMethod.objects.filter(is_default=True, removed_at=None).select_related(
        "payer__company", "payer__organization"
    )
    for card in defaults.iterator():
        last_day = _good_until(card)
        horizon = now + _WARN_BEFORE
        closes = invoicing.next_close(card.payer, now)
        if last_day > max(horizon, closes or horizon).date():
            continue
        _notices.card_expires(card, expired=last_day < now.date(), now=now)
        found += 1
    return found


def _good_until(card: PaymentMethod) -> date:
    """The last day of the card's month."""
    year, month = (card.exp_year + 1, 1) if card.exp_month == 12 else (card.exp_year, card.exp_month + 1)
    return date(year, month, 1) - timedelta(days=1)
