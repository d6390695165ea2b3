"""Whether the money at Stripe, in the ledger and on invoices is the same; nothing here changes anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from callbill.config.simulation.stripe_side import StripeSide
from callbill.config.simulation.watch import Violation
from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Account, Posting
from callbill.domain.payments.models import BankPayment, PaymentAttempt, Refund
from callbill.domain.payments.queries import books_differences

Found = Iterator[Violation]


@dataclass(frozen=True, slots=True)
class AtStripe:
    """Everything that moved money there."""

    charges: list[dict[str, Any]]
    intents: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    disputes: list[dict[str, Any]]
    payouts: list[dict[str, Any]]
    movements: list[dict[str, Any]]
    warnings: list[dict[str, Any]]
    balance: dict[str, int]

    @classmethod
    def now(cls, stripe: StripeSide) -> AtStripe:
        """As it is at this moment."""
        movements = stripe.all("balance_transactions")
        for line in movements:
            line["currency"] = line["currency"].upper()
        held: Counter[str] = Counter()
        balance = stripe.find("balance")
        for row in (*balance["available"], *balance["pending"]):
            held[row["currency"].upper()] += row["amount"]
        return cls(
            charges=stripe.all("charges"),
            intents=stripe.all("payment_intents"),
            refunds=stripe.all("refunds"),
            disputes=stripe.all("disputes"),
            payouts=stripe.all("payouts"),
            movements=movements,
            warnings=stripe.all("radar/early_fraud_warnings"),
            balance=dict(held),
        )

    def asked_for_the_cardholder(self) -> Counter[str]:
        """By invoice: refusals that wanted the cardholder and were followed by another in the same attempt.

        The bank asked, the cardholder confirmed, and the confirmed charge was refused too: the attempt names
        the last of the two.
        """
        known = set(PaymentAttempt.objects.exclude(charge=None).values_list("charge", flat=True))
        return Counter(
            self._invoice_of(charge)
            for charge in self.charges
            if charge["failure_code"] == "authentication_required" and charge["id"] not in known
        )

    def _invoice_of(self, charge: Mapping[str, Any]) -> str:
        found = (each for each in self.intents if each["id"] == charge["payment_intent"])
        return str(next((each["metadata"].get("invoice", "") for each in found), ""))


def paid_once(there: AtStripe) -> Found:
    """No invoice takes more money, at Stripe and by bank, than it is about."""
    taken: dict[str, int] = defaultdict(int)
    of_intent = {intent["id"]: intent["metadata"].get("invoice", "") for intent in there.intents}
    for charge in there.charges:
        if charge["paid"]:
            taken[of_intent.get(charge["payment_intent"], "")] += charge["amount"]
    if taken.pop("", 0):
        yield Violation("paid once", "money was taken at Stripe for no invoice of ours")
    for payment in BankPayment.objects.filter(returned_at=None):
        taken[str(payment.invoice_id)] += payment.amount_minor - payment.surplus_minor
    invoices = {str(invoice.id): invoice for invoice in Invoice.objects.all()}
    for key, cents in taken.items():
        invoice = invoices.get(key)
        if invoice is None:
            yield Violation("paid once", f"{cents} were taken at Stripe for an invoice that is not there")
            continue
        at_most = (
            invoice.total_minor
            + invoice.brought_minor
            + invoice.charged_back_minor
            - invoice.balance_applied_minor
        )
        if cents > at_most:
            yield Violation("paid once", f"{invoice.number}: {cents} were taken and it was about {at_most}")


def nothing_out_of_nothing(there: AtStripe) -> Found:
    """What our rows say was charged or refunded is so at Stripe; one payment there for each of ours."""
    charges = {charge["id"]: charge for charge in there.charges}
    for attempt in PaymentAttempt.objects.exclude(charge=None).select_related("invoice"):
        charge = charges.get(attempt.charge)
        paid = attempt.state == "succeeded"
        if charge is None or (paid and (not charge["paid"] or charge["amount"] != attempt.amount_minor)):
            yield Violation(
                "money at Stripe",
                f"{attempt.invoice.number}: an attempt {attempt.state} over {attempt.amount_minor} names "
                f"{'a charge of ' + str(charge['amount']) if charge else 'a charge that is not there'}",
            )
        elif not paid and charge["paid"]:
            yield Violation(
                "money at Stripe",
                f"{attempt.invoice.number}: its charge succeeded, its attempt {attempt.state}",
            )
    made = Counter(intent["metadata"].get("intent") for intent in there.intents)
    for intent_id, times in made.items():
        if times > 1:
            yield Violation("one payment", f"{times} PaymentIntents at Stripe for one of ours ({intent_id})")
    made_refunds = Counter(refund["metadata"].get("refund") for refund in there.refunds)
    for refund_id, times in made_refunds.items():
        if times > 1:
            yield Violation("refunded once", f"{times} refunds at Stripe for one of ours ({refund_id})")


def same_money(there: AtStripe) -> Found:
    """Charge by charge and refund by refund: Stripe's, the ledger's and the invoices' money are the same."""
    posted = dict(
        Posting.objects.filter(account=Account.STRIPE_CLEARING, entry__kind="payment").values_list(
            "entry__key", "amount_minor"
        )
    )
    at_stripe = {f"payment:{charge['id']}": charge["amount"] for charge in there.charges if charge["paid"]}
    for key in {*posted, *at_stripe}:
        if posted.get(key) != at_stripe.get(key):
            yield Violation(
                "money at Stripe = ledger",
                f"{key}: {at_stripe.get(key)} at Stripe, {posted.get(key)} in the ledger",
            )
    yield from _one_charge_an_attempt(there)
    paid: dict[str, int] = defaultdict(int)
    # What was returned of a written-off invoice is bad debt again.
    entries = Posting.objects.filter(
        entry__kind__in=("payment", "payment_returned"), account__in=(Account.RECEIVABLE, Account.BAD_DEBT)
    ).values_list("entry__description", "amount_minor")
    for description, cents in entries:
        paid[description.rpartition(" ")[2]] -= cents
    for invoice in Invoice.objects.exclude(number=None):
        if paid[str(invoice.number)] != invoice.paid_minor:
            yield Violation(
                "ledger = invoices",
                f"{invoice.number}: paid {invoice.paid_minor}, in the ledger {paid[str(invoice.number)]}",
            )
    ours = {refund.reference: refund for refund in Refund.objects.exclude(reference=None)}
    for refund in there.refunds:
        row = ours.get(refund["id"])
        if row is None or row.amount_minor != refund["amount"] or not _same_state(row, refund["status"]):
            yield Violation(
                "refunds at Stripe = ours",
                f"{refund['amount']} {refund['status']} there, {row and (row.amount_minor, row.state)} here",
            )


def _one_charge_an_attempt(there: AtStripe) -> Found:
    """The bank was asked as often as our attempts say, not once more.

    Where it wants the cardholder, who then confirms, it is asked once more for the same attempt, which names
    the last of the two charges.
    """
    known = set(PaymentAttempt.objects.exclude(charge=None).values_list("charge", flat=True))
    asked = Counter(
        charge["payment_intent"]
        for charge in there.charges
        if charge["failure_code"] == "authentication_required"
    )
    unknown = Counter(charge["payment_intent"] for charge in there.charges if charge["id"] not in known)
    for intent, times in unknown.items():
        if times > asked[intent]:
            yield Violation(
                "one charge an attempt",
                f"{times} charges at Stripe belong to no attempt, and the cardholder was wanted "
                f"{asked[intent]} times",
            )


def _same_state(row: Refund, status: str) -> bool:
    return {"failed": "failed", "canceled": "failed"}.get(status, status) == row.state


def books() -> Found:
    """Invoices, credit notes and refunds are what the ledger says; it balances; no credit is negative."""
    for found in books_differences():
        yield Violation(
            "ledger = invoices",
            f"{found.what} of payer {found.payer_id}: {found.in_ledger} in the ledger, "
            f"{found.by_invoices} by invoices",
        )
    sums = Posting.objects.values_list("currency").annotate(total=Sum("amount_minor"))
    for currency, total in sums:
        if total:
            yield Violation("trial balance", f"{total} {currency} are missing on one side")
    held = Posting.objects.filter(account=Account.CUSTOMER_BALANCE).values_list("payer_id", "currency")
    for payer_id, currency, total in held.annotate(total=Sum("amount_minor")):
        if total > 0:
            yield Violation(
                "credit balance", f"payer {payer_id} used {total} {currency} that it did not have"
            )
