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


# Issued, and something may be due.
OWED = (InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE)

WORDS: dict[InvoiceStatus, str] = {
    InvoiceStatus.DRAFT: "Draft",
    InvoiceStatus.OPEN: "Open",
    InvoiceStatus.PAST_DUE: "Past due",
    InvoiceStatus.PAID: "Paid",
    InvoiceStatus.VOID: "Void",
    InvoiceStatus.UNCOLLECTIBLE: "Uncollectible",
}


class InvoiceEvent(StrEnum):
    """What can happen to an invoice; `DEEDS` says it in words."""

    ISSUE = "issue"
    PAY = "pay"  # money came in and nothing is due any more
    FALL_DUE = "fall_due"
    CREDIT = "credit"  # a credit note that leaves something due, or comes when nothing is
    CREDIT_OFF = "credit_off"  # a credit note after which nothing is due any more
    VOID = "void"
    WRITE_OFF = "write_off"
    RECOVER = "recover"  # money came in for what had been written off, all of it
    CARRY = "carry"  # too small for a card: what is due goes on the payer's next invoice
    CARRY_BACK = "carry_back"  # that one was voided: it is due here again
    CHARGE_BACK = "charge_back"  # the cardholder's bank took a payment back for good: it is owed again
    RETURN = "return"  # a bank payment was taken back, as a bounced cheque: it is owed as before


DEEDS: dict[InvoiceEvent, str] = {
    InvoiceEvent.ISSUE: "issued",
    InvoiceEvent.PAY: "paid",
    InvoiceEvent.FALL_DUE: "made past due",
    InvoiceEvent.CREDIT: "credited",
    InvoiceEvent.CREDIT_OFF: "credited",
    InvoiceEvent.VOID: "voided",
    InvoiceEvent.WRITE_OFF: "written off",
    InvoiceEvent.RECOVER: "recovered",
    InvoiceEvent.CARRY: "carried forward",
    InvoiceEvent.CARRY_BACK: "given back what it carried forward",
    InvoiceEvent.CHARGE_BACK: "charged back",
    InvoiceEvent.RETURN: "owed again",
}


# The whole table: what is not in it is refused. A credit note that leaves nothing due makes an invoice
# paid, as at Stripe (docs.stripe.com/invoicing/integration/programmatic-credit-notes).
_S, _E = InvoiceStatus, InvoiceEvent
MOVES: dict[tuple[InvoiceStatus, InvoiceEvent], InvoiceStatus] = {
    (_S.DRAFT, _E.ISSUE): _S.OPEN,
    (_S.OPEN, _E.PAY): _S.PAID,
    (_S.OPEN, _E.FALL_DUE): _S.PAST_DUE,
    (_S.OPEN, _E.CREDIT): _S.OPEN,
    (_S.OPEN, _E.CREDIT_OFF): _S.PAID,
    (_S.OPEN, _E.VOID): _S.VOID,
    (_S.OPEN, _E.WRITE_OFF): _S.UNCOLLECTIBLE,
    (_S.OPEN, _E.CARRY): _S.PAID,
    (_S.OPEN, _E.CARRY_BACK): _S.OPEN,
    (_S.OPEN, _E.CHARGE_BACK): _S.PAST_DUE,
    (_S.OPEN, _E.RETURN): _S.OPEN,
    (_S.PAST_DUE, _E.PAY): _S.PAID,
    (_S.PAST_DUE, _E.CREDIT): _S.PAST_DUE,
    (_S.PAST_DUE, _E.CREDIT_OFF): _S.PAID,
    (_S.PAST_DUE, _E.VOID): _S.VOID,
    (_S.PAST_DUE, _E.WRITE_OFF): _S.UNCOLLECTIBLE,
    (_S.PAST_DUE, _E.CARRY): _S.PAID,
    (_S.PAST_DUE, _E.CARRY_BACK): _S.PAST_DUE,
    (_S.PAST_DUE, _E.CHARGE_BACK): _S.PAST_DUE,
    (_S.PAST_DUE, _E.RETURN): _S.PAST_DUE,
    (_S.PAID, _E.CREDIT): _S.PAID,
    (_S.PAID, _E.CARRY_BACK): _S.OPEN,
    (_S.PAID, _E.CHARGE_BACK): _S.PAST_DUE,
    (_S.PAID, _E.RETURN): _S.OPEN,
    (_S.UNCOLLECTIBLE, _E.CREDIT): _S.UNCOLLECTIBLE,
    (_S.UNCOLLECTIBLE, _E.CREDIT_OFF): _S.PAID,
    (_S.UNCOLLECTIBLE, _E.RECOVER): _S.PAID,
    (_S.UNCOLLECTIBLE, _E.CHARGE_BACK): _S.UNCOLLECTIBLE,
    (_S.UNCOLLECTIBLE, _E.RETURN): _S.UNCOLLECTIBLE,
}


class MoveRefused(Exception):
    """The event is not possible in that state."""

    def __init__(self, status: InvoiceStatus, event: InvoiceEvent) -> None:
        self.status = status
        self.event = event
        super().__init__(f"An invoice that is {WORDS[status].lower()} cannot be {DEEDS[event]}.")


def after(status: InvoiceStatus, event: InvoiceEvent) -> InvoiceStatus:
    """The state that follows `event` in `status`. Raises MoveRefused where the table has no such move."""
    try:
        return MOVES[(status, event)]
    except KeyError:
        raise MoveRefused(status, event) from None
