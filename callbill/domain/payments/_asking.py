"""Asking the gateway about money that may have moved: a question that is refused is no answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from callbill.domain.payments.gateway import NotAccepted, OurMistake


class CannotAsk(OurMistake):
    """Our question about what may have been done was refused; so its outcome is not known."""


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Inside it is asked whether something was done ("paid"). Raises CannotAsk where that is our mistake."""
    try:
        yield
    except NotAccepted:
        raise
    except OurMistake as error:
        raise CannotAsk(f"Whether it was {what} could not be asked: {error}") from error
