"""A story in plain words, for whoever has to understand what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from callbill.config.simulation.story import Step, Story

_WORDS = {
    "add_card": "{who} saves card {number}",
    "make_default": "{who} makes card no. {place} the default",
    "remove_card": "{who} removes card no. {place}",
    "card_declines": "the bank of {who} declines the next {times} charges: {code}",
    "card_expires": "the default card of {who} expires",
    "card_renewed": "the issuer renews the default card of {who}",
    "pay_now": "{who} pays unpaid invoice no. {place} now",
    "retry_now": "staff retry unpaid invoice no. {place} of {who}",
    "stop_waiting": "staff take back a payment that waits for its cardholder",
    "credit": "staff credit {percent}% of invoice no. {place} of {who}",
    "void": "staff void unpaid invoice no. {place} of {who} (billed again at once: {again})",
    "write_off": "staff write off an invoice of {who}",
    "recovery": "money comes by bank for a written-off invoice of {who}",
    "refund": "staff refund credit note no. {place} to its card",
    "adjust": "staff put {cents} cents on the next invoice of {who}",
    "late_calls": "the switch hands over calls that it had forgotten, of the week {days_back} days ago",
    "repeated_calls": "the switch hands over calls twice more, of the week {days_back} days ago",
    "corrected_calls": "the switch corrects calls of the week {days_back} days ago",
    "flag_call": "staff correct a billed call of {who}",
    "outage": "staff enter an outage of {who}, {days_back} days ago",
    "decide": "staff decide a proposed credit (approve: {approve})",
    "change_payer": "{who} changes between its own invoice and its organization's",
    "add_contact": "{who} adds an address for its mails",
    "agree_again": "{who} agrees again to its replaced card",
    "pay_on_new_card": "{who} wants a new card charged by itself: {choice}",
    "dispute": "a charge of {who} is disputed (only asked about: {inquiry})",
    "dispute_decided": "a bank decides the oldest dispute: {outcome}",
    "fraud_warning": "the network warns of a charge of {who}",
    "payout": "Stripe pays out (our bank refuses: {fail})",
    "card_replaced": "the issuer replaces the default card of {who} by another brand",
    "pay_several": "{who} pays all that it owes at once",
    "confirm": "a cardholder confirms a waiting payment (passes: {passes}, comes back: {returns})",
    "bank_payment": "{percent}% of unpaid invoice no. {place} of {who} comes by bank",
    "bank_return": "the bank returns the oldest payment of {who}",
    "hold": "staff hold unpaid invoice no. {place} of {who}",
    "lift_hold": "staff lift the oldest hold",
    "calls": "the switch hands over the calls from {from} to before {until}",
    "fault": "Stripe is not well: {action} for {times} requests to {path} after {after} more",
    "silence": "{times} answers of Stripe to {path} are lost (done: {done}, questions too: {reads})",
    "kill": "the next process dies {when} its commit, request or letter no. {number} {of}",
    "beside": "another worker, {minutes} minutes ahead, works after point no. {number} {of} of the next",
    "together": "two workers do the next work at the same time",
    "asleep": "no worker runs for {hours} hours",
    "post": "Stripe's messages are {mode} on their way",
    "bad_key": "our key is wrong for {hours} hours",
    "mail_down": "the mail server takes none of the next {letters} letters",
    "chaos": "Stripe's messages (of type {of}) are {mode}",
}


def in_words(story: Story) -> Iterator[str]:
    """The cast, then a line for each step with its day and minute in UTC."""
    for member in story.cast:
        whose = f" of {member.organization}, billed to its {member.payer}" if member.organization else ""
        cycle = f"billed on day {member.billing_day} of each month"
        yield f"Company {member.key}{whose}: contract “{member.contract}”, {cycle}"
    for step in story.steps:
        day = story.first_day + timedelta(days=step.day)
        yield f"{day} {step.minute // 60:02d}:{step.minute % 60:02d}  {one_step(step)}"


def one_step(step: Step) -> str:
    """A step as a sentence."""
    details: dict[str, Any] = {"who": step.who, "of": "", **step.details}
    words = _WORDS.get(step.deed)
    if words is None:
        rest = ", ".join(f"{name} {value}" for name, value in step.details.items())
        return " ".join(filter(None, (step.who, step.deed.replace("_", " "), f"({rest})" if rest else "")))
    return words.format_map(details)
