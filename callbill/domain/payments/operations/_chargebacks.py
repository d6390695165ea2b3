"""Following disputes and warnings of fraud: by a message, by reconciliation, and by asking once a day."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Q

from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.operations import lift_hold
from callbill.domain.payments import _chargeback_notices
from callbill.domain.payments._chargebacks import UnknownCharge, follow_chargeback
from callbill.domain.payments.gateway import NotAccepted, gateway
from callbill.domain.payments.models import Chargeback
from callbill.lib.transactions import outside_transaction
from callbill.rules.lifecycle import InvoiceStatus

logger = logging.getLogger(__name__)
_STATE = Chargeback.State
# How far back disputes are listed, so that one whose messages were all lost is found.
_HEARD_OF = timedelta(days=7)
# Money may still move after the bank's decision.
_SETTLING = timedelta(days=30)
_SETTLED = (InvoiceStatus.PAID.value, InvoiceStatus.VOID.value, InvoiceStatus.UNCOLLECTIBLE.value)


@outside_transaction
def ask_about_chargebacks(*, now: datetime) -> list[str]:
    """Ask about every dispute that is not over, and list the latest for one that nobody told us of.

    Then holds that hold nothing any more, because their invoice was settled, are lifted. Returns what went
    wrong; one dispute's trouble does not stop the others.
    """
    moved = Q(state=_STATE.WON, withdrawn_minor__gt=0) | Q(state=_STATE.LOST, lost_minor=0)
    ask = Q(state__in=(_STATE.INQUIRY, _STATE.OPEN)) | moved & Q(closed_at__gte=now - _SETTLING)
    problems: list[str] = []
    references = list(Chargeback.objects.filter(ask).values_list("reference", flat=True))
    try:
        listed = [view.reference for view in gateway().chargebacks(since=now - _HEARD_OF)]
        known = set(Chargeback.objects.filter(reference__in=listed).values_list("reference", flat=True))
        references += [reference for reference in listed if reference not in known]
        for reference in references:
            _follow(reference, problems, now)
    except NotAccepted as error:
        problems.append(str(error))
    except Exception as error:
        logger.exception("asking about disputes")
        problems.append(f"disputes could not be listed: {error}")
    _lift_what_holds_nothing(now)
    return problems


def _follow(reference: str, problems: list[str], now: datetime) -> None:
    try:
        follow_chargeback(reference=reference, now=now)
    except NotAccepted:
        raise
    except UnknownCharge as error:
        # Another program's in the same account; were it ours, reconciliation would tell of its charge.
        logger.info("dispute %s: %s", reference, error)
    except Exception as error:
        logger.exception("following dispute %s", reference)
        problems.append(f"dispute {reference}: {error}")


def _lift_what_holds_nothing(now: datetime) -> None:
    """Not those of undecided disputes and of warnings: they are about money that was paid."""
    undecided = Chargeback.objects.filter(state__in=(_STATE.INQUIRY, _STATE.OPEN)).values("reference")
    holds = Hold.objects.filter(lifted_at=None, invoice__status__in=_SETTLED).exclude(
        kind=Hold.Kind.FRAUD_WARNING.value
    )
    for hold in holds.exclude(kind=Hold.Kind.CHARGEBACK.value, cause__in=undecided):
        lift_hold(hold_id=hold.id, reason="The invoice was settled meanwhile", actor_id=None, now=now)
        _chargeback_notices.settle_dispute(hold.cause, now)
