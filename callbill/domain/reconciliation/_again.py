"""What is still different is asked for once more by its id, so that Stripe's lists need not go back to it.

One old difference would otherwise make every night read everything since then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from callbill.domain.payments.gateway import (
    ChargebackView,
    ChargeView,
    NotAccepted,
    OurMistake,
    PayoutView,
    RefundView,
    gateway,
)
from callbill.domain.reconciliation import _seen
from callbill.domain.reconciliation._found import LISTED
from callbill.domain.reconciliation.models import Difference

View = TypeVar("View")
_CHARGE, _REFUND, _CHARGEBACK, _PAYOUT = ("ch_", "py_"), ("re_", "pyr_"), ("dp_", "du_"), ("po_",)


def open_objects() -> list[str]:
    """The objects at Stripe that open differences are about."""
    still = Difference.objects.filter(gone_at=None, kind__in=LISTED)
    return sorted({each for row in still.values_list("objects_at_stripe", flat=True) for each in row})


def see_again() -> None:
    """Write down those that were not listed, beside what was. Raises GatewayError."""
    names = open_objects()
    _seen.see_charges(_asked(names, _CHARGE, "seen_charge", _charge), _nobody)
    _seen.see_refunds(_asked(names, _REFUND, "seen_refund", _refund), _nobody)
    _seen.see_chargebacks(_asked(names, _CHARGEBACK, "seen_chargeback", _chargeback), _nobody)


def payouts(listed: set[str]) -> Iterator[PayoutView]:
    """Payouts of open differences that were not listed."""
    for name in open_objects():
        if name.startswith(_PAYOUT) and name not in listed:
            yield from _there(_payout, name)


def _asked(
    names: Sequence[str], prefixes: tuple[str, ...], table: str, ask: Callable[[str], View]
) -> Iterator[View]:
    mine = [name for name in names if name.startswith(prefixes)]
    known: list[dict[str, Any]] = _seen.rows(
        f"SELECT reference FROM {table} WHERE reference = ANY(%s)",  # noqa: S608
        [mine],
    )
    for name in sorted({*mine} - {row["reference"] for row in known}):
        yield from _there(ask, name)


def _there(ask: Callable[[str], View], name: str) -> Iterator[View]:
    try:
        yield ask(name)
    except NotAccepted:
        raise
    except OurMistake:  # there is no such thing
        return


def _charge(reference: str) -> ChargeView:
    return gateway().fetch_charge(reference=reference)


def _refund(reference: str) -> RefundView:
    return gateway().fetch_refund(reference=reference)


def _chargeback(reference: str) -> ChargebackView:
    return gateway().fetch_chargeback(reference=reference)


def _payout(reference: str) -> PayoutView:
    return gateway().fetch_payout(reference=reference)


def _nobody(count: int) -> None:
    """Nobody is told how many these are."""
