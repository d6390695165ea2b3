"""Whether every movement on our balance at Stripe has its posting, and every posting its movement."""

from __future__ import annotations

from collections import Counter, defaultdict

from django.db.models import Sum

from callbill.config.simulation.money import AtStripe, Found
from callbill.config.simulation.watch import Violation
from callbill.domain.ledger.models import Account, Posting
from callbill.domain.payments.models import Chargeback, Refund
from callbill.domain.reconciliation.models import Payout

_STATES = {
    "needs_response": "open",
    "under_review": "open",
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "inquiry_closed",
}


def moved(there: AtStripe) -> Found:
    """Object by object, with fees of their own, and then all of it by currency; disputes and payouts."""
    # A refund is posted when it has arrived; Stripe takes it from the balance when it is made.
    on_their_way = {refund["id"] for refund in there.refunds if refund["status"] == "pending"}
    at_stripe: Counter[tuple[str, str]] = Counter()
    whole: Counter[str] = Counter(there.balance)
    for line in there.movements:
        if line["source"] in on_their_way:
            whole[line["currency"]] -= line["amount"]
        else:
            at_stripe[line["source"], line["currency"]] += line["amount"]
        at_stripe[f"the fee of {line['id']}", line["currency"]] -= line["fee"]
    posted = _posted(there)
    for key in sorted({*at_stripe, *posted}):
        if at_stripe[key] != posted[key]:
            yield Violation(
                "movements at Stripe = ledger",
                f"{key[0]}: {at_stripe[key]} {key[1]} moved at Stripe, {posted[key]} in the ledger",
            )
    clearing = Posting.objects.filter(account=Account.STRIPE_CLEARING).values_list("currency")
    in_ledger = Counter(dict(clearing.annotate(all=Sum("amount_minor"))))
    for currency in {*whole, *in_ledger}:
        if whole[currency] != in_ledger[currency]:
            yield Violation(
                "movements at Stripe = ledger",
                f"Stripe holds {whole[currency]} {currency} of ours, the ledger says {in_ledger[currency]}",
            )
    yield from _disputes(there)
    yield from _payouts(there)


def _posted(there: AtStripe) -> Counter[tuple[str, str]]:
    """What was posted to Stripe clearing, by the object at Stripe that its key names."""
    refunds = {str(key): str(name) for key, name in Refund.objects.values_list("id", "reference")}
    sources = {line["id"]: line["source"] for line in there.movements}
    found: Counter[tuple[str, str]] = Counter()
    rows = Posting.objects.filter(account=Account.STRIPE_CLEARING)
    for key, currency, cents in rows.values_list("entry__key", "currency", "amount_minor"):
        fact, _, name = key.partition(":")
        if fact.startswith("refund_"):
            name = refunds.get(name, key)
        elif fact == "chargeback_moved":
            name = sources.get(name, key)
        elif fact == "fee":
            name = f"the fee of {name}"
        found[name, currency] += cents
    return found


def _disputes(there: AtStripe) -> Found:
    """Each is here, as far as it is there, with what the bank took."""
    taken: defaultdict[str, int] = defaultdict(int)
    for line in there.movements:
        taken[line["source"]] -= line["amount"]
    ours = {row.reference: (row.state, row.withdrawn_minor) for row in Chargeback.objects.all()}
    for dispute in there.disputes:
        wanted = (_STATES.get(dispute["status"], dispute["status"]), taken[dispute["id"]])
        if ours.get(dispute["id"]) != wanted:
            yield Violation(
                "disputes at Stripe = ours",
                f"a dispute is {wanted} there, {ours.get(dispute['id'])} here",
            )


def _payouts(there: AtStripe) -> Found:
    ours = {row.reference: (row.status, row.amount_minor) for row in Payout.objects.all()}
    at_stripe = {payout["id"]: (payout["status"], payout["amount"]) for payout in there.payouts}
    for key in {*ours, *at_stripe}:
        if ours.get(key) != at_stripe.get(key):
            yield Violation(
                "payouts at Stripe = ours", f"a payout is {at_stripe.get(key)} there, {ours.get(key)} here"
            )
