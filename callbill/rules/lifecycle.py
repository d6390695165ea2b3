"""The life of an invoice: its states, the words for them, and the only moves there are."""

from __future__ import annotations

from enum import StrEnum


class InvoiceStatus(StrEnum):
    """Where an invoice stands; the value is what is stored, `WORDS` what people read."""

    DRAFT = "draft"
    OPEN = "open"
    PAST_DUE = "past_due"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


WORDS: dict[InvoiceStatus, str] = {
    InvoiceStatus.DRAFT: "Draft",
    InvoiceStatus.OPEN: "Open",
    InvoiceStatus.PAST_DUE: "Past due",
    InvoiceStatus.PAID: "Paid",
    InvoiceStatus.VOID: "Void",
    InvoiceStatus.UNCOLLECTIBLE: "Uncollectible",
}


class InvoiceEvent(StrEnum):
    """What can happen to an invoice."""

    ISSUE = "issue"
    PAY = "pay"
    FALL_DUE = "fall_due"
    VOID = "void"
    WRITE_OFF = "write_off"


MOVES: dict[tuple[InvoiceStatus, InvoiceEvent], InvoiceStatus] = {
    (InvoiceStatus.DRAFT, InvoiceEvent.ISSUE): InvoiceStatus.OPEN,
    (InvoiceStatus.OPEN, InvoiceEvent.PAY): InvoiceStatus.PAID,
    (InvoiceStatus.OPEN, InvoiceEvent.FALL_DUE): InvoiceStatus.PAST_DUE,
    (InvoiceStatus.OPEN, InvoiceEvent.VOID): InvoiceStatus.VOID,
    (InvoiceStatus.OPEN, InvoiceEvent.WRITE_OFF): InvoiceStatus.UNCOLLECTIBLE,
    (InvoiceStatus.PAST_DUE, InvoiceEvent.PAY): InvoiceStatus.PAID,
    (InvoiceStatus.PAST_DUE, InvoiceEvent.VOID): InvoiceStatus.VOID,
    (InvoiceStatus.PAST_DUE, InvoiceEvent.WRITE_OFF): InvoiceStatus.UNCOLLECTIBLE,
    (InvoiceStatus.UNCOLLECTIBLE, InvoiceEvent.PAY): InvoiceStatus.PAID,
}


class MoveRefused(Exception):
    """The event is not possible in that state."""

    def __init__(self, status: InvoiceStatus, event: InvoiceEvent) -> None:
        self.status = status
        self.event = event
        super().__init__(f"An invoice that is {WORDS[status].lower()} cannot take {event.value!r}.")


def after(status: InvoiceStatus, event: InvoiceEvent) -> InvoiceStatus:
    """The state that follows `event` in `status`. Raises MoveRefused where the table has no such move."""
    try:
        return MOVES[(status, event)]
    except KeyError:
        raise MoveRefused(status, event) from None
