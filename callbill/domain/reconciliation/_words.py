"""Differences of charges, refunds and disputes in words: what each side says, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from callbill.domain.reconciliation._found import REPORT, Found, Row, day, money, said
from callbill.rules.money import Money


def two_charges(row: Row) -> Found:
    """An invoice on which more than one charge stands."""
    owed = Money(int(row["owed"]), row["currency"])
    nets = [Money(int(minor), code) for code, minor in zip(row["currencies"], row["nets"], strict=True)]
    charges = ", ".join(row["charges"])
    # One that the books did not take was not asked for; if they took all, the first ones were.
    too_much = row["unposted"] or _beyond(row)
    return Found(
        kind="two_charges",
        about=str(row["id"]),
        what=f"Stripe has {len(row['charges'])} charges for invoice {row['number']} that were not given "
        f"back: {charges}, together {_all(nets)}. The invoice asked cards for {said(owed)}.",
        what_to_do=_give_back(row, too_much),
        amount=nets[0] if len(nets) == 1 else None,
        payer_id=row["payer_id"],
        invoice=row["number"] or "",
        sources=tuple(row["unposted"]),
        stops=tuple(too_much),
        objects=tuple(row["charges"]),
    )


def _give_back(row: Row, too_much: Sequence[str]) -> str:
    """Which charge to refund, and where: here, if the books have it, so that they know of it."""
    which = f"{', '.join(too_much)} {'is' if len(too_much) == 1 else 'are'} too much"
    if row["unposted"]:
        return (
            f"{which}: the books do not have it. Refund it at Stripe, tell the customer, then lift the stop."
        )
    return (
        f"{which}, and the books have it. Credit lines of invoice {row['number']} for what is too much and "
        "refund the credit note here, so that the books know of it. Tell the customer, then lift the stop."
    )


def charge_without_attempt(row: Row) -> Found:
    """A charge of a customer of ours that no attempt made."""
    number = f" for invoice {row['number']}" if row["number"] else ""
    return Found(
        kind="charge_without_attempt",
        about=row["reference"],
        what=f"Stripe has charge {row['reference']} over {said(money(row))}{number}, made "
        f"{day(row)}. There is no attempt of ours that made it, and the books have "
        f"{'it' if row['in_ledger'] else 'nothing of it'}.",
        what_to_do="Find out who made it. Refund it at Stripe if nobody can say, tell the customer, then "
        "lift the stop.",
        amount=money(row),
        payer_id=row["payer_id"],
        invoice=row["number"] or "",
        sources=() if row["in_ledger"] else (row["reference"],),
        stops=(row["reference"],),
    )


def charge_amount(row: Row) -> Found:
    """A charge over another amount than its attempt, or than what was posted."""
    posted = _posted(row)
    books = f"the books have {said(posted)}" if posted else "the books have nothing"
    return Found(
        kind="charge_amount",
        about=row["reference"],
        what=f"Stripe charged {said(money(row))} with {row['reference']} for invoice {row['number']}; our "
        f"attempt says {said(Money(int(row['attempt_amount']), row['attempt_currency']))} and {books}.",
        what_to_do=f"If it is too much, refund the difference at Stripe and tell the customer. {REPORT}",
        amount=money(row),
        payer_id=row["payer_id"],
        invoice=row["number"] or "",
        sources=(row["reference"],),
        explains=(-posted,) if posted else (),
    )


def charge_without_entry(row: Row) -> Found:
    """A charge that an attempt made and the books did not take."""
    return Found(
        kind="charge_without_entry",
        about=row["reference"],
        what=f"Stripe has charge {row['reference']} over {said(money(row))} for invoice {row['number']} and "
        "our attempt knows it. The books do not have it: when it came, the invoice did not ask for it any "
        "more.",
        what_to_do="Refund it at Stripe and tell the customer; then lift the stop, if one stands.",
        amount=money(row),
        payer_id=row["payer_id"],
        invoice=row["number"] or "",
        sources=(row["reference"],),
    )


def attempt_without_charge(row: Row) -> Found:
    """An attempt that succeeded, of whose charge Stripe knows nothing."""
    amount, posted = money(row), _posted(row)
    return Found(
        kind="attempt_without_charge",
        about=row["reference"],
        what=f"Our attempt for invoice {row['number']} succeeded with charge {row['reference']} over "
        f"{said(amount)}, and the books have {said(posted) if posted else 'nothing'} of it. Stripe knows no "
        "such charge that succeeded.",
        what_to_do=f"Make sure that STRIPE_SECRET_KEY is of the right account. If it is: {REPORT}",
        amount=amount,
        payer_id=row["payer_id"],
        invoice=row["number"] or "",
        explains=(-posted,) if posted else (),
    )


def entry_without_charge(row: Row) -> Found:
    """A payment in the books for which there is neither a charge nor an attempt."""
    return Found(
        kind="entry_without_charge",
        about=row["reference"],
        what=f"The books have {said(money(row))} on Stripe clearing (“{row['description']}”, "
        f"{row['reference']}). Stripe knows no such charge, and no attempt of ours made one.",
        what_to_do="Nothing in Callbill takes an entry back. If the money came another way, say so in your "
        f"own accounts. {REPORT}",
        amount=money(row),
        payer_id=row["payer_id"],
        explains=(-money(row),),
    )


def refund_not_ours(row: Row) -> Found:
    """A refund of a charge of ours that was made at Stripe by hand."""
    return Found(
        kind="refund_not_ours",
        about=row["reference"],
        what=f"Stripe gave {said(money(row))} of charge {row['charge']} for invoice {row['number']} back "
        f"with {row['reference']}. Nobody asked for that here, and the books still have the money.",
        what_to_do=f"Credit lines of invoice {row['number']} for {said(money(row))} if that was not done "
        "yet, then choose “Take over a refund made at Stripe” at the credit note and give "
        f"{row['reference']}. Next time refund it there.",
        amount=money(row),
        payer_id=row["payer_id"],
        invoice=row["number"] or "",
        sources=(row["reference"],),
    )


def refund_amount(row: Row) -> Found:
    """A refund over another amount than ours."""
    ours, posted = Money(int(row["ours"]), row["ours_currency"]), _posted(row)
    return Found(
        kind="refund_amount",
        about=row["reference"],
        what=f"Stripe gave {said(money(row))} back with {row['reference']} for invoice {row['number']}; our "
        f"refund says {said(ours)}.",
        what_to_do=REPORT,
        amount=money(row),
        payer_id=row["payer_id"],
        invoice=row["number"] or "",
        sources=(row["reference"],),
        explains=(-posted,) if posted else (),
    )


def refund_without_stripe(row: Row) -> Found:
    """A refund of ours of which Stripe knows nothing."""
    return Found(
        kind="refund_without_stripe",
        about=row["reference"],
        what=f"Our refund {row['reference']} of {said(money(row))} for invoice {row['number']} is made or on "
        "its way. Stripe knows no such refund.",
        what_to_do=f"Make sure that STRIPE_SECRET_KEY is of the right account. If it is: {REPORT}",
        amount=money(row),
        payer_id=row["payer_id"],
        invoice=row["number"] or "",
        explains=(money(row),) if row["state"] == "succeeded" else (),
    )


def chargeback_unknown(row: Row) -> Found:
    """A dispute about a charge of ours that could not be applied."""
    return Found(
        kind="chargeback_unknown",
        about=row["reference"],
        what=f"At Stripe {said(money(row))} of charge {row['charge']} is disputed ({row['reference']}), and "
        f"{said(money(row, 'withdrawn'))} was taken for it. Nothing of it is here.",
        what_to_do="Answer it at Stripe in time, and see to charge "
        f"{row['charge']}: a dispute is followed here once its charge is known.",
        amount=money(row),
        payer_id=row["payer_id"],
        sources=(row["reference"],),
        objects=(row["reference"], row["charge"]),
    )


def _posted(row: Row) -> Money | None:
    """What the books have of it, in the currency in which they have it."""
    return Money(int(row["posted"]), row["posted_currency"]) if row["posted"] is not None else None


def _all(amounts: list[Money]) -> str:
    """Amounts of several currencies, which nobody can add up."""
    return " and ".join(said(amount) for amount in amounts)


def _beyond(row: Row) -> list[str]:
    """The charges that came when the invoice had been paid in full by the ones before them."""
    so_far, beyond = 0, []
    for charge, net in zip(row["charges"], row["of_each"], strict=True):
        so_far += int(net)
        if so_far > row["owed"]:
            beyond.append(charge)
    return beyond
