"""Every kind of difference: its key, what each side says, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from callbill.lib import formats
from callbill.rules.money import Money

Row = Mapping[str, Any]

# These are said so that figures can be understood; there is nothing wrong with them.
NOTES = frozenset({"other_customers", "other_movements", "clearing_named"})
# These stop collection for their payer.
INCIDENTS = frozenset({"two_charges", "charge_without_attempt"})
# Found by asking Stripe so far back; looked for as long as they are open. All others need no list.
LISTED = INCIDENTS | {
    *("charge_amount", "charge_without_entry", "attempt_without_charge", "entry_without_charge"),
    *("fee_missing", "refund_not_ours", "refund_amount", "refund_without_stripe", "chargeback_unknown"),
    "payout_sum",
}

TITLES = {
    "two_charges": "An invoice was charged twice",
    "charge_without_attempt": "A charge that nobody here made",
    "charge_amount": "A charge over another amount",
    "charge_without_entry": "A charge that is not in the books",
    "attempt_without_charge": "A payment of which Stripe knows nothing",
    "entry_without_charge": "Money in the books of which Stripe knows nothing",
    "fee_missing": "A fee is missing",
    "refund_not_ours": "A refund made at Stripe",
    "refund_amount": "A refund over another amount",
    "refund_without_stripe": "A refund of which Stripe knows nothing",
    "chargeback_unknown": "A dispute that is not followed",
    "other_currency": "Charges that Stripe exchanges",
    "movement_amount": "Another amount at Stripe than in the books",
    "payout_sum": "A payout that does not add up",
    "clearing": "Stripe clearing is not Stripe's balance",
    "clearing_named": "What the differences above come to",
    "books": "Invoices and books disagree",
    "other_customers": "Charges of another program",
    "other_movements": "Movements that Callbill does not make",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A difference as it was found.

    What it explains of the difference between Stripe clearing and Stripe's balance: the movements of
    `sources`, and `explains`.
    """

    kind: str
    about: str
    what: str
    what_to_do: str
    amount: Money | None = None
    payer_id: UUID | None = None
    sources: tuple[str, ...] = ()
    explains: tuple[Money, ...] = ()

    @property
    def key(self) -> str:
        """What differs about which object."""
        return f"{self.kind}:{self.about}"[:160]


def two_charges(row: Row) -> Found:
    """An invoice on which more than one charge stands."""
    net, owed = _money(row, "net"), Money(int(row["owed"]), row["currency"])
    charges = ", ".join(row["charges"])
    return Found(
        kind="two_charges",
        about=str(row["id"]),
        what=f"Stripe has {len(row['charges'])} charges for invoice {row['number']} that were not given "
        f"back: {charges}, together {_w(net)}. The invoice asked for {_w(owed)}.",
        what_to_do="Refund the charge that is too much at Stripe, tell the customer, then lift the stop.",
        amount=net,
        payer_id=row["payer_id"],
        sources=tuple(row["unposted"]),
    )


def charge_without_attempt(row: Row) -> Found:
    """A charge of a customer of ours that no attempt made."""
    number = f" for invoice {row['number']}" if row["number"] else ""
    return Found(
        kind="charge_without_attempt",
        about=row["reference"],
        what=f"Stripe has charge {row['reference']} over {_w(_money(row))}{number}, made "
        f"{_day(row)}. There is no attempt of ours that made it, and the books have "
        f"{'it' if row['in_ledger'] else 'nothing of it'}.",
        what_to_do="Find out who made it. Refund it at Stripe if nobody can say, tell the customer, then "
        "lift the stop.",
        amount=_money(row),
        payer_id=row["payer_id"],
        sources=() if row["in_ledger"] else (row["reference"],),
    )


def charge_amount(row: Row) -> Found:
    """A charge over another amount than its attempt, or than what was posted."""
    posted = Money(int(row["posted"]), row["posted_currency"]) if row["posted"] is not None else None
    books = f"the books have {_w(posted)}" if posted else "the books have nothing"
    return Found(
        kind="charge_amount",
        about=row["reference"],
        what=f"Stripe charged {_w(_money(row))} with {row['reference']} for invoice {row['number']}; our "
        f"attempt says {_w(Money(int(row['attempt_amount']), row['attempt_currency']))} and {books}.",
        what_to_do="Refund what is too much at Stripe, or record what is missing. Then report this: it "
        "should be impossible.",
        amount=_money(row),
        payer_id=row["payer_id"],
        sources=(row["reference"],),
        explains=(-posted,) if posted else (),
    )


def charge_without_entry(row: Row) -> Found:
    """A charge that an attempt made and the books did not take."""
    return Found(
        kind="charge_without_entry",
        about=row["reference"],
        what=f"Stripe has charge {row['reference']} over {_w(_money(row))} for invoice {row['number']} and "
        "our attempt knows it. The books do not have it: when it came, the invoice did not ask for it any "
        "more.",
        what_to_do="Refund it at Stripe and tell the customer.",
        amount=_money(row),
        payer_id=row["payer_id"],
        sources=(row["reference"],),
    )


def attempt_without_charge(row: Row) -> Found:
    """An attempt that succeeded, of whose charge Stripe knows nothing."""
    amount = _money(row)
    return Found(
        kind="attempt_without_charge",
        about=row["reference"],
        what=f"Our attempt for invoice {row['number']} succeeded with charge {row['reference']} over "
        f"{_w(amount)}, and the books have {_w(Money(int(row['posted']), row['currency']))} of it. Stripe "
        "knows no such charge that succeeded.",
        what_to_do="Make sure that STRIPE_SECRET_KEY is of the right account; then report this: it should be "
        "impossible.",
        amount=amount,
        payer_id=row["payer_id"],
        explains=(-_money(row, "posted"),),
    )


def entry_without_charge(row: Row) -> Found:
    """A payment in the books for which there is neither a charge nor an attempt."""
    return Found(
        kind="entry_without_charge",
        about=row["reference"],
        what=f"The books have {_w(_money(row))} on Stripe clearing (“{row['description']}”, "
        f"{row['reference']}). Stripe knows no such charge, and no attempt of ours made one.",
        what_to_do="If the money came another way, post it to the bank instead; otherwise report this.",
        amount=_money(row),
        payer_id=row["payer_id"],
    )


def fee_missing(row: Row) -> Found:
    """A charge of which Stripe still has not told what it costs."""
    return Found(
        kind="fee_missing",
        about=row["reference"],
        what=f"Charge {row['reference']} over {_w(_money(row))} was made {_day(row)}, and "
        "Stripe still has no movement on its balance for it; so its fee is not in the books.",
        what_to_do="Ask Stripe's support for the charge's balance transaction.",
        amount=_money(row),
        payer_id=row["payer_id"],
    )


def fee_unposted(row: Row) -> Found:
    """A fee that was read and is not in the books."""
    return Found(
        kind="fee_missing",
        about=row["reference"],
        what=f"Stripe took a fee of {_w(_money(row))} with {row['reference']}; the books do not have it.",
        what_to_do="Report this: it should be impossible.",
        amount=_money(row),
        explains=(-_money(row),),
    )


def refund_not_ours(row: Row) -> Found:
    """A refund of a charge of ours that was made at Stripe by hand."""
    return Found(
        kind="refund_not_ours",
        about=row["reference"],
        what=f"Stripe gave {_w(_money(row))} of charge {row['charge']} for invoice {row['number']} back with "
        f"{row['reference']}. Nobody asked for that here, and the books still have the money.",
        what_to_do="Find out who refunded it at Stripe: refunds are made from a credit note here. Callbill "
        "cannot take this one over, so put it right in your own accounts; it stays named here.",
        amount=_money(row),
        payer_id=row["payer_id"],
        sources=(row["reference"],),
    )


def refund_amount(row: Row) -> Found:
    """A refund over another amount than ours."""
    ours = Money(int(row["ours"]), row["currency"])
    return Found(
        kind="refund_amount",
        about=row["reference"],
        what=f"Stripe gave {_w(_money(row))} back with {row['reference']} for invoice {row['number']}; our "
        f"refund says {_w(ours)}.",
        what_to_do="Report this: it should be impossible.",
        amount=_money(row),
        payer_id=row["payer_id"],
        sources=(row["reference"],),
        explains=(ours,) if row["state"] == "succeeded" else (),
    )


def refund_without_stripe(row: Row) -> Found:
    """A refund of ours of which Stripe knows nothing."""
    return Found(
        kind="refund_without_stripe",
        about=row["reference"],
        what=f"Our refund {row['reference']} of {_w(_money(row))} for invoice {row['number']} is made or on "
        "its way. Stripe knows no such refund.",
        what_to_do="Make sure that STRIPE_SECRET_KEY is of the right account; then report this: it should be "
        "impossible.",
        amount=_money(row),
        payer_id=row["payer_id"],
        explains=(_money(row),) if row["state"] == "succeeded" else (),
    )


def chargeback_unknown(row: Row) -> Found:
    """A dispute about a charge of ours that could not be applied."""
    return Found(
        kind="chargeback_unknown",
        about=row["reference"],
        what=f"At Stripe {_w(_money(row))} of charge {row['charge']} is disputed ({row['reference']}), and "
        f"{_w(_money(row, 'withdrawn'))} was taken for it. Nothing of it is here.",
        what_to_do="Answer it at Stripe in time, and see to charge "
        f"{row['charge']}: a dispute is followed here once its charge is known.",
        amount=_money(row),
        payer_id=row["payer_id"],
        sources=(row["reference"],),
    )


def other_currency(row: Row) -> Found:
    """Charges that Stripe credits in another currency than they were made in."""
    return Found(
        kind="other_currency",
        about=f"{row['currency']}:{row['settled_in']}",
        what=f"Stripe credits {_count(row['charges'], 'charge')} over {_w(_money(row))} in "
        f"{row['settled_in']}. The books have them in the currency they were made in and cannot "
        "follow what Stripe exchanged.",
        what_to_do=f"Add a bank account in {row['currency']} at Stripe, so that it is not exchanged; enter "
        "the exchange of these charges in your own accounts.",
        amount=_money(row),
        explains=(-_money(row, "posted"), Money(int(row["settled"]), row["settled_in"])),
    )


def other_customers(row: Row) -> Found:
    """Charges in the same Stripe account that are not ours."""
    return Found(
        kind="other_customers",
        about=row["currency"],
        what=f"{_count(row['charges'], 'charge')} over {_w(_money(row))} in the same Stripe account, for "
        "customers that Callbill does not know. Nothing of it is in the books.",
        what_to_do="That is as it should be if another program uses this Stripe account.",
        amount=_money(row),
    )


def other_movements(row: Row) -> Found:
    """Movements on Stripe's balance that Callbill does not make."""
    return Found(
        kind="other_movements",
        about=f"{row['kind']}:{row['currency']}",
        what=f"Stripe's balance has {_count(row['movements'], 'movement')} of the kind “{row['kind']}”, "
        f"together {_w(_money(row))}. Nothing of it is in the books.",
        what_to_do="Enter them in your own accounts; the report “Balance” at Stripe explains them.",
        amount=_money(row),
    )


def payout_sum(reference: str, amount: Money, total: Money) -> Found:
    """A payout that is not the sum of its movements."""
    return Found(
        kind="payout_sum",
        about=reference,
        what=f"Stripe paid out {_w(amount)} with {reference}; the movements it lists in it come to "
        f"{_w(total)}.",
        what_to_do="Ask Stripe's support which movements are in the payout.",
        amount=amount - total,
    )


def movement_amount(row: Row) -> Found:
    """An object that moved another amount at Stripe than in the books."""
    posted = Money(int(row["posted"]), row["currency"])
    return Found(
        kind="movement_amount",
        about=row["source"],
        what=f"{row['source']} moved {_w(_money(row))} on Stripe's balance and {_w(posted)} on Stripe "
        "clearing in the books.",
        what_to_do="Look the object up at Stripe and report this: it should be impossible.",
        amount=_money(row) - posted,
        payer_id=row["payer_id"],
        sources=(row["source"],),
        explains=(-posted,),
    )


def clearing(in_books: Money, at_stripe: Money, named: Money, unexplained: Money) -> Found:
    """Stripe clearing is not Stripe's balance, even after what is known to be outside the books.

    `named` is what the other differences come to; if nothing else is `unexplained`, this is only a note.
    """
    outside = at_stripe - in_books - named - unexplained
    what = f"The books have {_w(in_books)} on Stripe clearing, Stripe's balance is {_w(at_stripe)}."
    if outside.minor:
        what += f" {_w(outside)} of the difference is on its way or not ours."
    if not unexplained.minor:
        return Found(
            kind="clearing_named",
            about=in_books.currency,
            what=f"{what} {_w(named)} of it is what the differences above come to, to the cent.",
            what_to_do="It goes when they do.",
            amount=named,
        )
    if named.minor:
        what += f" {_w(named)} of it is what the other differences come to."
    return Found(
        kind="clearing",
        about=in_books.currency,
        what=f"{what} {_w(unexplained)} is not explained.",
        what_to_do="Compare with the report “Balance” at Stripe.",
        amount=unexplained,
    )


def books(payer: str, payer_id: UUID, what: str, in_ledger: Money, by_invoices: Money) -> Found:
    """A payer for whom invoices and books disagree."""
    return Found(
        kind="books",
        about=f"{payer_id}:{what}:{in_ledger.currency}",
        what=f"{payer}, {what}: the ledger has {_w(in_ledger)}, its invoices say {_w(by_invoices)}.",
        what_to_do="Bill nobody until this is understood: keep a copy of the database and report it.",
        amount=in_ledger - by_invoices,
        payer_id=payer_id,
    )


def _money(row: Row, name: str = "amount") -> Money:
    return Money(int(row[name]), row["currency"])


def _w(amount: Money) -> str:
    return formats.money(amount, with_code=True)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _day(row: Row) -> str:
    return formats.day_in(row["created_at"], "UTC")
