"""The life of an invoice, every state with every event: what follows, or that it is refused."""

from __future__ import annotations

import pytest

from callbill.rules.lifecycle import DEEDS, MOVES, WORDS, InvoiceEvent, InvoiceStatus, MoveRefused, after

# One row a state, one column an event; "-" is refused. Written by hand, not from MOVES.
TABLE = """
              issue pay  fall_due credit        credit_off void write_off     recover charge_back   carry carry_back return
draft         open  -    -        -             -          -    -             -       -             -     -          -
open          -     paid past_due open          paid       void uncollectible -       past_due      paid  open       open
past_due      -     paid -        past_due      paid       void uncollectible -       past_due      paid  past_due   past_due
paid          -     -    -        paid          -          -    -             -       past_due      -     open       open
void          -     -    -        -             -          -    -             -       -             -     -          -
uncollectible -     -    -        uncollectible paid       -    -             paid    uncollectible -     -          uncollectible
"""  # noqa: E501 (one row, one line)
_HEAD, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
PAIRS = [
    (InvoiceStatus(state), InvoiceEvent(event), outcome)
    for state, *outcomes in _ROWS
    for event, outcome in zip(_HEAD, outcomes, strict=True)
]


def test_the_table_has_every_pair() -> None:
    assert {(state, event) for state, event, _ in PAIRS} == {
        (state, event) for state in InvoiceStatus for event in InvoiceEvent
    }
    assert len(PAIRS) == 72


@pytest.mark.parametrize(("state", "event", "outcome"), PAIRS)
def test_every_state_with_every_event(state: InvoiceStatus, event: InvoiceEvent, outcome: str) -> None:
    if outcome == "-":
        assert (state, event) not in MOVES
        with pytest.raises(MoveRefused) as refusal:
            after(state, event)
        assert (refusal.value.status, refusal.value.event) == (state, event)
        assert str(refusal.value) == f"An invoice that is {WORDS[state].lower()} cannot be {DEEDS[event]}."
    else:
        assert after(state, event) is InvoiceStatus(outcome)


def test_void_is_the_end() -> None:
    assert not [event for state, event in MOVES if state is InvoiceStatus.VOID]
