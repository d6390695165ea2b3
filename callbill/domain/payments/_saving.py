"""Keeping what the gateway says about cards; used by the card page and by webhooks alike."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.customers.models import BillableEntity
from callbill.domain.payments import _notices
from callbill.domain.payments._alerts import alert
from callbill.domain.payments._new_card import plan_for_new_card
from callbill.domain.payments.gateway import CardSetupView, CardView, IntentStatus, OurMistake
from callbill.domain.payments.models import CardSetup, GatewayCustomer, PaymentMethod
from callbill.lib.transactions import in_transaction


@in_transaction
def keep_card(*, setup: CardSetup, view: CardSetupView, now: datetime) -> PaymentMethod | None:
    """Save the card of a set-up that succeeded, once; a payer's first card becomes the default.

    None while the set-up has not succeeded. Raises OurMistake if the card is another customer's.
    """
    if view.status is not IntentStatus.SUCCEEDED or view.card is None:
        return None
    payer = lock_payer(setup.payer_id)
    existing = PaymentMethod.objects.filter(reference=view.card.reference).first()
    if existing is not None:
        return existing
    owner = GatewayCustomer.objects.get(payer=payer).reference
    if view.card.customer != owner:
        raise OurMistake(
            f"Card set-up {view.reference} belongs to customer {view.card.customer}, not {owner}."
        )
    first = not PaymentMethod.objects.filter(payer=payer, is_default=True).exists()
    if first:
        plan_for_new_card(payer, now)
    card = PaymentMethod.objects.create(
        payer=payer,
        reference=view.card.reference,
        brand=view.card.brand,
        last4=view.card.last4,
        exp_month=view.card.exp_month,
        exp_year=view.card.exp_year,
        is_default=first,
        added_at=now,
        setup=setup,
    )
    CardSetup.objects.filter(id=setup.id).update(completed_at=now)
    return card


def lock_payer(payer_id: UUID) -> BillableEntity:
    """The payer, locked: whoever changes its cards holds this. Before its invoices, and these before cards.

    Weakly, so that whoever holds an invoice may write rows that refer to the payer meanwhile.
    """
    return BillableEntity.objects.select_for_update(no_key=True).get(id=payer_id)


@in_transaction
def follow_card(*, card: PaymentMethod, view: CardView, now: datetime) -> None:
    """What the issuer or somebody at the gateway changed: new expiry, new number, new brand, or gone.

    A card of another brand may not be charged without its holder before a new agreement (stripe.md 5.2).
    """
    lock_payer(card.payer_id)
    kept = PaymentMethod.objects.select_for_update().get(id=card.id)
    another_brand = kept.brand != view.brand
    kept.brand, kept.last4 = view.brand, view.last4
    kept.exp_month, kept.exp_year = view.exp_month, view.exp_year
    if not view.customer and kept.detached_at is None:
        kept.detached_at = now
    if not view.customer and kept.removed_at is None:
        kept.removed_at = now
        if kept.is_default:
            kept.is_default = False
            alert(
                key=f"default-card-gone:{kept.id}",
                kind="default_card_gone",
                message=f"The default card {kept.last4} of {kept.payer} was removed at Stripe. Ask the "
                "customer to add a card.",
                now=now,
            )
    elif another_brand and kept.removed_at is None:
        kept.needs_consent_since = now
        if kept.is_default:
            _notices.card_replaced(kept, now)
    kept.save()
