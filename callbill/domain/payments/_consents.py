"""Who agreed to charges of a card, to which words, when and from where; for staff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from callbill.domain.customers import queries as customers
from callbill.domain.customers.queries import Viewer, payer_seen_by
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _mandate, _new_card, _owing
from callbill.domain.payments._words import card_label
from callbill.domain.payments.models import CardConsent, CardSetup, PaymentMethod
from callbill.rules.dunning import can_be_charged
from callbill.rules.money import Money


@dataclass(frozen=True, slots=True)
class ConsentView:
    """One agreement: given when the card was saved, or again after its issuer replaced it."""

    card: str
    again: bool
    removed: bool
    version: str
    text: str
    person: str
    at: datetime
    ip_address: str


def mandate_text(payer_name: str, *, again: bool = False) -> str:
    """The words that somebody agrees to now: saving a card, or `again` for one that replaced it."""
    version = _mandate.CURRENT_AGAIN if again else _mandate.CURRENT
    return _mandate.text(version, seller=customers.seller().name, payer=payer_name)


def waits_for_consent(viewer: Viewer, payer_id: UUID) -> list[tuple[str, Money]]:
    """What is charged once the default card is agreed to again: numbers, oldest first, and amounts.

    Raises NotFound for somebody else's payer.
    """
    payer = payer_seen_by(viewer, payer_id)
    return _amounts(_new_card.waiting_for_consent(payer.id))


def charged_at_once(viewer: Viewer, payer_id: UUID) -> list[tuple[str, Money]]:
    """What is charged by itself as soon as another card is the default: numbers, oldest first, and amounts.

    Nothing unless payer or seller want it so. Raises NotFound for somebody else's payer.
    """
    payer = payer_seen_by(viewer, payer_id)
    if not _new_card.is_charged_by_itself(payer) or _owing.is_stopped(payer.id):
        return []
    return _amounts(_new_card.past_due(payer.id))


def _amounts(invoices: QuerySet[Invoice]) -> list[tuple[str, Money]]:
    amounts = [(row.number or "", _owing.to_charge(row)) for row in invoices.order_by("issued_at", "number")]
    return [(number, amount) for number, amount in amounts if can_be_charged(amount)]


def consents(viewer: Viewer, payer_id: UUID) -> list[ConsentView]:
    """Every agreement for the payer's cards, removed ones too, newest first; for nobody but staff."""
    if not viewer.is_staff:
        return []
    payer = payer_seen_by(viewer, payer_id)
    seller = customers.seller().name

    def view(
        card: PaymentMethod, given: CardSetup | CardConsent, person: object, at: datetime
    ) -> ConsentView:
        # Before the words were kept only their version was; then the names are those of today.
        shown = given.mandate_text or _mandate.text(given.mandate_version, seller=seller, payer=payer.name)
        return ConsentView(
            card=card_label(card),
            again=isinstance(given, CardConsent),
            removed=card.removed_at is not None,
            version=given.mandate_version,
            text=shown,
            person=str(person or ""),
            at=at,
            ip_address=given.ip_address or "",
        )

    cards = PaymentMethod.objects.filter(payer=payer, setup__completed_at__isnull=False)
    found = [
        view(card, setup, setup.started_by, setup.completed_at)
        for card in cards.select_related("setup__started_by")
        if (setup := card.setup) is not None and setup.completed_at is not None
    ]
    renewed = CardConsent.objects.filter(payment_method__payer=payer)
    found += [
        view(row.payment_method, row, row.given_by, row.given_at)
        for row in renewed.select_related("payment_method", "given_by")
    ]
    return sorted(found, key=lambda consent: consent.at, reverse=True)
