"""Differences of fees, movements, payouts and sums in words: what each side says, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from callbill.domain.reconciliation._found import FOLDED, REPORT, Found, Row, counted, day, money, said
from callbill.rules.money import Money

_MOST_NAMED = 10


def fee_missing(row: Row) -> Found:
    """A charge of which Stripe still has not told what it costs."""
    return Found(
        kind="fee_missing",
        about=row["reference"],
        what=f"Charge {row['reference']} over {said(money(row))} was made {day(row)}, and "
        "Stripe still has no movement on its balance for it; so its fee is not in the books.",
        what_to_do="Ask Stripe's support for the charge's balance transaction.",
        amount=money(row),
        payer_id=row["payer_id"],
    )


def fee_unposted(row: Row) -> Found:
    """A fee that was read and is not in the books."""
    return Found(
        kind="fee_missing",
        about=row["reference"],
        what=f"Stripe took a fee of {said(money(row))} with {row['reference']}; the books do not have it.",
        what_to_do=REPORT,
        amount=money(row),
        explains=(-money(row),),
    )


def fee_amount(row: Row) -> Found:
    """A fee that is in the books over another amount than Stripe took."""
    posted = Money(int(row["posted"]), row["posted_currency"])
    return Found(
        kind="fee_amount",
        about=row["reference"],
        what=f"Stripe took a fee of {said(money(row))} with {row['reference']}; the books have "
        f"{said(posted)}.",
        what_to_do=REPORT,
        amount=money(row),
        payer_id=row["payer_id"],
        explains=(-money(row), posted),
    )


def other_currency(row: Row) -> Found:
    """Charges that Stripe credits in another currency than they were made in."""
    return Found(
        kind="other_currency",
        about=f"{row['currency']}:{row['settled_in']}",
        what=f"Stripe credits {counted(row['charges'], 'charge')} over {said(money(row))} in "
        f"{row['settled_in']}. The books have them in the currency they were made in and cannot "
        "follow what Stripe exchanged.",
        what_to_do=f"Add a bank account in {row['currency']} at Stripe, so that it is not exchanged; enter "
        "the exchange of these charges in your own accounts.",
        amount=money(row),
        explains=(-money(row, "posted"), Money(int(row["settled"]), row["settled_in"])),
    )


def other_customers(row: Row) -> Found:
    """Charges in the same Stripe account that are not ours."""
    return Found(
        kind="other_customers",
        about=row["currency"],
        what=f"{counted(row['charges'], 'charge')} over {said(money(row))} in the same Stripe account since "
        f"{day(row)}, for customers that Callbill does not know. The books do not have them, nor what was "
        "given back of them. They do have Stripe's fees for them, and the payouts that they were part of, "
        "because Stripe takes and pays out everything together; so Stripe clearing is below Stripe's balance "
        "by what is not ours.",
        what_to_do="That is as it should be if another program uses this Stripe account.",
        amount=money(row),
    )


def other_movements(row: Row) -> Found:
    """Movements on Stripe's balance that Callbill does not make."""
    return Found(
        kind="other_movements",
        about=f"{row['kind']}:{row['currency']}",
        what=f"Stripe's balance has {counted(row['movements'], 'movement')} of the kind “{row['kind']}”, "
        f"together {said(money(row))}. The books do not have it, but for Stripe's fees.",
        what_to_do="Enter them in your own accounts; the report “Balance” at Stripe explains them.",
        amount=money(row),
    )


def payout_sum(reference: str, amount: Money, total: Money) -> Found:
    """A payout that is not the sum of its movements."""
    return Found(
        kind="payout_sum",
        about=reference,
        what=f"Stripe paid out {said(amount)} with {reference}; the movements it lists in it come to "
        f"{said(total)}.",
        what_to_do="Ask Stripe's support which movements are in the payout.",
        amount=amount - total,
    )


def movement_amount(row: Row) -> Found:
    """An object that moved another amount at Stripe than in the books."""
    posted = Money(int(row["posted"]), row["currency"])
    return Found(
        kind="movement_amount",
        about=row["source"],
        what=f"{row['source']} moved {said(money(row))} on Stripe's balance and {said(posted)} on Stripe "
        "clearing in the books.",
        what_to_do=f"Look {row['source']} up at Stripe. {REPORT}",
        amount=money(row) - posted,
        payer_id=row["payer_id"],
        sources=(row["source"],),
        explains=(-posted,),
    )


def clearing(
    in_books: Money,
    at_stripe: Money,
    *,
    on_its_way: Money,
    not_ours: Money,
    named: Money,
    unexplained: Money,
    strays: Sequence[str] = (),
) -> Found:
    """Stripe clearing is not Stripe's balance, even after what is known to be outside the books.

    `named` is what the other differences come to; if nothing else is `unexplained`, this is only a note.
    `strays` are the keys of postings for which there is nothing at Stripe.
    """
    what = f"The books have {said(in_books)} on Stripe clearing, Stripe's balance is {said(at_stripe)}."
    if on_its_way.minor:
        what += f" {said(-on_its_way)} of the difference is on its way to Stripe's balance."
    if not_ours.minor:
        what += f" {said(not_ours)} of the difference is not ours: Stripe moved it for nothing in the books."
    if not unexplained.minor:
        return Found(
            kind="clearing_named",
            about=in_books.currency,
            what=f"{what} {said(named)} of it is what the differences above come to, to the cent.",
            what_to_do="It goes when they do.",
            amount=named,
        )
    if named.minor:
        what += f" {said(named)} of it is what the other differences come to."
    what += f" {said(unexplained)} is not explained."
    if strays:
        more = f" and {len(strays) - _MOST_NAMED:,} more" if len(strays) > _MOST_NAMED else ""
        what += f" Nothing at Stripe goes with the entries {', '.join(strays[:_MOST_NAMED])}{more}."
    return Found(
        kind="clearing",
        about=in_books.currency,
        what=what,
        what_to_do="Compare with the report “Balance” at Stripe.",
        amount=unexplained,
    )


def many(found: Sequence[Found]) -> Found:
    """Too many of a kind as one; what is said of the first of them stands for all."""
    first, amounts = found[0], [each.amount for each in found if each.amount is not None]
    sums: dict[str, int] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, 0) + amount.minor
    totals = [Money(minor, code) for code, minor in sorted(sums.items())]
    together = " and ".join(said(total) for total in totals)
    names = ", ".join(each.about for each in found[:_MOST_NAMED])
    return Found(
        kind=first.kind,
        about=FOLDED,
        what=f"{len(found):,} times, together {together or 'without an amount'}: {names} and "
        f"{len(found) - _MOST_NAMED:,} more. The first: {first.what}",
        what_to_do=f"So many at once have one cause, often a STRIPE_SECRET_KEY of another account. "
        f"{first.what_to_do}",
        amount=totals[0] if len(totals) == 1 else None,
    )


def books(payer: str, payer_id: UUID | None, what: str, in_ledger: Money, by_invoices: Money) -> Found:
    """A payer for whom invoices and books disagree."""
    return Found(
        kind="books",
        about=f"{payer_id}:{what}:{in_ledger.currency}",
        what=f"{payer}, {what}: the ledger has {said(in_ledger)}, its invoices say {said(by_invoices)}.",
        what_to_do="Stop the worker, so that nothing is billed and charged until this is understood, and "
        f"keep a copy of the database. {REPORT}",
        amount=in_ledger - by_invoices,
        payer_id=payer_id,
    )
