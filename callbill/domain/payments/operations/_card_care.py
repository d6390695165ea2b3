"""What is done about cards by itself: warning before they expire, forgetting removed ones at the gateway."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from callbill.domain.invoicing import queries as invoicing
from callbill.domain.payments import _notices
from callbill.domain.payments._alerts import alert, settle_matter
from callbill.domain.payments._notices import CardWarning
from callbill.domain.payments._silence import Answer, Answers
from callbill.domain.payments._views import good_until
from callbill.domain.payments.gateway import GatewayError, gateway
from callbill.domain.payments.models import PaymentMethod, StaffAlert
from callbill.lib.transactions import in_transaction, outside_transaction

_ASK_AGAIN = timedelta(hours=1)


@in_transaction
def card_expiry_notices(*, now: datetime) -> int:
    """Warn of default cards 60 and 30 days before they expire, and when they have.

    No billing cycle is longer than 60 days, so all are warned before the invoice that would fail; the words
    say when that is the next one. Each warning once per card, saved twice or not, and expiry; a card first
    seen late gets only the one that is due then. Returns how many cards are in such a state, warned of now
    or before.
    """
    found = 0
    defaults = PaymentMethod.objects.filter(is_default=True, removed_at=None).select_related(
        "payer__company", "payer__organization"
    )
    for card in defaults.iterator():
        last_day = good_until(card)
        warning = _warning(last_day, now.date())
        if warning is None:
            continue
        closes = invoicing.next_close(card.payer, now)
        before_invoice = closes is not None and last_day <= closes.date()
        _notices.card_expires(card, warning, before_invoice=before_invoice, now=now)
        found += 1
    return found


def _warning(last_day: date, today: date) -> CardWarning | None:
    left = (last_day - today).days
    if left < 0:
        return CardWarning.EXPIRED
    if left <= 30:
        return CardWarning.WITHIN_30_DAYS
    return CardWarning.WITHIN_60_DAYS if left <= 60 else None


@outside_transaction
def forget_removed_cards(*, now: datetime, answers: Answers | None = None) -> int:
    """Ask the gateway again to forget cards that were removed here while it did not answer.

    Each at most once an hour; when several in a row come to nothing, the rest waits for the next run.
    Returns how many it has forgotten now.
    """
    lately = StaffAlert.objects.filter(kind="card_not_detached", last_at__gt=now - _ASK_AGAIN)
    waiting = {key.partition(":")[2] for key in lately.values_list("key", flat=True)}
    left = PaymentMethod.objects.filter(removed_at__lte=now - _ASK_AGAIN, detached_at=None)
    forgotten = 0
    answers = answers or Answers()
    for card in left.exclude(id__in=waiting).order_by("removed_at"):
        if answers.over:
            break
        done = forget_at_gateway(card, now)
        answers.count(card.id, Answer.GIVEN if done else Answer.NONE)
        forgotten += done
    return forgotten


def forget_at_gateway(card: PaymentMethod, now: datetime) -> bool:
    """Have the gateway forget a removed card; False, and staff are told, if it did not."""
    try:
        gateway().detach_card(reference=card.reference, key=f"detach:{card.id}")
    except GatewayError as error:
        # It is not used any more; that the gateway still knows it is tried again, and staff see it.
        alert(
            key=f"card-not-detached:{card.id}",
            kind="card_not_detached",
            message=f"Card {card.reference} was removed here but not yet at Stripe, which is asked "
            f"again every hour: {error}",
            now=now,
        )
        return False
    PaymentMethod.objects.filter(id=card.id, detached_at=None).update(detached_at=now)
    settle_matter(key=f"card-not-detached:{card.id}", now=now)
    return True
