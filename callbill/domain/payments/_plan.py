"""When an invoice is tried next: `rules.dunning` applied to rows. Every function wants the invoice locked."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from callbill.domain.customers import queries as customers
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments.models import LIVE_STATES, CollectionPlan, PaymentAttempt, PaymentMethod
from callbill.rules import dunning
from callbill.rules.dunning import Stop, Why
from callbill.rules.refusal import Refusal, RefusalKind, explain

AUTOMATIC = (PaymentAttempt.Trigger.ISSUE, PaymentAttempt.Trigger.CYCLE)
BY_PEOPLE = (PaymentAttempt.Trigger.STAFF, PaymentAttempt.Trigger.CUSTOMER)
_AFTER_OUR_MISTAKE = timedelta(days=1)


def default_card(payer_id: UUID, *, lock: bool = False) -> PaymentMethod | None:
    """The card that is charged for new invoices, or None; locked, it cannot be removed meanwhile."""
    cards = PaymentMethod.objects.filter(payer_id=payer_id, is_default=True, removed_at=None)
    return (cards.select_for_update() if lock else cards).first()


def chargeable_card(payer_id: UUID) -> PaymentMethod | None:
    """The default card, unless its holder must first agree to charges again."""
    card = default_card(payer_id)
    return None if card is None or card.needs_consent_since else card


def live_attempt(invoice_id: UUID) -> PaymentAttempt | None:
    """The attempt under way, or None (M26)."""
    return (
        PaymentAttempt.objects.filter(invoice_id=invoice_id, state__in=LIVE_STATES)
        .select_related("payment_method")
        .first()
    )


def refusal_of(attempt: PaymentAttempt) -> Refusal:
    """The words for a refused attempt."""
    return explain(advice_code=attempt.advice_code, decline_code=attempt.decline_code, code=attempt.code)


def must_be_replaced(invoice_id: UUID, card: PaymentMethod, *, present: bool = False) -> bool:
    """True if this card met a hard decline for this invoice: it is not tried again (M28).

    `present`: somebody asks who can see to it that the bank's question is answered, so a card that was
    refused only for want of that may be tried.
    """
    refused = PaymentAttempt.objects.filter(
        invoice_id=invoice_id,
        payment_method=card,
        state__in=(PaymentAttempt.State.DECLINED, PaymentAttempt.State.ACTION_REQUIRED),
    )
    hard = [attempt for attempt in refused if refusal_of(attempt).kind is RefusalKind.HARD]
    return not all(present and _wanted_its_holder(attempt) for attempt in hard)


def _wanted_its_holder(attempt: PaymentAttempt) -> bool:
    codes = (attempt.code, attempt.decline_code)
    return "authentication_required" in codes and attempt.advice_code != "do_not_try_again"


def next_cycle(invoice: Invoice, now: datetime) -> datetime:
    """When the payer's running billing cycle ends; without a contract, as the invoice's period goes on."""
    closes = invoicing.next_close(invoice.payer, now)
    return closes or dunning.next_cycle(invoice.first_day, invoice.end_day, invoice.time_zone, now)


def plan_of(invoice: Invoice) -> CollectionPlan:
    """The invoice's plan, made if there is none yet."""
    return CollectionPlan.objects.get_or_create(invoice=invoice)[0]


def plan_of_or_none(invoice: Invoice) -> CollectionPlan | None:
    """The invoice's plan as it is; for reading."""
    return CollectionPlan.objects.filter(invoice=invoice).first()


def put(
    invoice: Invoice,
    *,
    at: datetime | None,
    why: Why | None = None,
    because: Stop | None = None,
    new_card: bool = False,
) -> CollectionPlan:
    """Plan the next try and why then, or say why there is none.

    After eight by itself only a new card is planned.
    """
    plan = plan_of(invoice)
    if at is not None and tried_enough(plan) and not new_card:
        at, because = None, Stop.TOO_MANY
    plan.next_attempt_at = at
    plan.planned_because = why.value if at is not None and why else ""
    plan.stopped_because = because.value if because else ""
    plan.new_card = new_card
    plan.save()
    return plan


def tried_enough(plan: CollectionPlan | None) -> bool:
    """True if no more attempts are made by themselves (M28); those for a new card do not count."""
    return plan is not None and plan.automatic_attempts >= dunning.MOST_AUTOMATIC_ATTEMPTS


def again(invoice: Invoice, attempt: PaymentAttempt, at: datetime, because: Stop | None = None) -> None:
    """Plan what was not charged after all once more, for a new card still if that is what it was made for."""
    new_card = attempt.trigger == PaymentAttempt.Trigger.NEW_CARD
    put(invoice, at=at, why=None if because else Why.CHANGED, because=because, new_card=new_card)


def after_cancel(invoice: Invoice, attempt: PaymentAttempt, now: datetime, *, waited: bool = False) -> None:
    """Plan what was canceled without a charge: again at once.

    With the next cycle if staff gave it up, or if it `waited` for its cardholder.
    """
    if _new_card_is_next(plan_of(invoice), invoice, attempt):
        return
    if attempt.given_up_at or waited:
        put(invoice, at=next_cycle(invoice, now), why=Why.CYCLE)
    else:
        again(invoice, attempt, now)


def after_decline(
    invoice: Invoice, attempt: PaymentAttempt, now: datetime, *, counted: bool = False
) -> CollectionPlan:
    """Count a declined attempt and plan what follows (M28).

    `counted`: it was counted when it began to wait for its cardholder, who has tried now.
    """
    plan = plan_of(invoice)
    automatic = attempt.trigger in AUTOMATIC and not counted
    plan.automatic_attempts += automatic
    if _new_card_is_next(plan, invoice, attempt):
        plan.save()
        return plan
    following = dunning.after_decline(
        kind=refusal_of(attempt).kind,
        automatic=automatic,
        automatic_attempts=plan.automatic_attempts,
        planned=plan.next_attempt_at,
        ladder_days=customers.seller().retry_ladder_days,
        declined_at=now,
        cycle=next_cycle(invoice, now),
    )
    if following.why or following.next_attempt_at != plan.next_attempt_at:
        plan.planned_because = following.why.value if following.why else ""
    plan.next_attempt_at = following.next_attempt_at
    plan.stopped_because = following.stopped_because.value if following.stopped_because else ""
    plan.new_card = False
    plan.save()
    return plan


def _new_card_is_next(plan: CollectionPlan, invoice: Invoice, attempt: PaymentAttempt) -> bool:
    """Whether a new card became the default while the old one was charged, and is planned already."""
    card = default_card(invoice.payer_id)
    return plan.new_card and card is not None and card.id != attempt.payment_method_id


def after_our_mistake(invoice: Invoice, attempt: PaymentAttempt, now: datetime) -> None:
    """Try again in a day; staff were told. Counts as no attempt.

    What was planned already stays planned where a person asked for this attempt in between. What staff gave
    up is as if canceled.
    """
    plan = plan_of(invoice)
    if attempt.given_up_at:
        after_cancel(invoice, attempt, now)
        return
    if _new_card_is_next(plan, invoice, attempt):
        return
    if attempt.trigger not in BY_PEOPLE or plan.next_attempt_at is None:
        again(invoice, attempt, now + _AFTER_OUR_MISTAKE, Stop.OUR_MISTAKE)
