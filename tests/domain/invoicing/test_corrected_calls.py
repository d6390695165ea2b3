"""Calls corrected after they were billed: the exact difference, proposed, decided once (M21)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from callbill.domain.contracts.operations import add_version
from callbill.domain.customers.models import Company
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Adjustment, CreditProposal, Invoice, Stretch
from callbill.domain.invoicing.operations import CannotDecide, propose_corrections, run_billing
from callbill.domain.invoicing.queries import books_differences, verify_invoice
from callbill.domain.usage.models import Call, CallCorrection
from callbill.domain.usage.operations import NotCorrectable
from callbill.domain.users.models import StaffAction, User
from callbill.domain.users.operations import ReasonMissing
from tests.domain import world
from tests.domain.invoicing.corrections import (
    FEBRUARY,
    MARCH,
    TENTH,
    adjustment_lines,
    approve,
    billed,
    next_invoice,
    refuse,
    say,
    the_proposal,
)
from tests.domain.usage import files

pytestmark = pytest.mark.django_db

TAXED = (
    world.PER_CALL
    + """
[tax]
[[tax.rate]]
name = "Sales tax"
percent = "8.875"
"""
)
MINIMUM = world.PER_CALL + '[minimum]\namount = "100.00"\n'


@pytest.fixture
def sam(db: None) -> User:
    return world.person("sam@cic.example", staff=True)


def test_a_spam_call_is_credited_with_its_tax_on_the_next_invoice(sam: User) -> None:
    acme, made = billed(60, TAXED)
    say(made[0], sam)
    proposal = the_proposal()
    assert (proposal.amount_minor, proposal.tax_minor, proposal.currency) == (1_35, 12, "USD")
    assert proposal.company == acme
    assert proposal.invoice == Invoice.objects.get()
    (line,) = proposal.lines
    assert (line["kind"], line["charge"], line["amount"], line["tax"]) == ("usage", "inbound", 1_35, 12)
    (call,) = proposal.calls
    assert call["source_call_id"] == made[0].source_call_id
    assert (call["was"], call["now"], call["reason"]) == ("flags none", "flags spam", "A robot")
    for figures in ("1 call of 1 to 31 January 2026", "60 calls", "59 calls", "$81.00", "$79.65", "= $1.35"):
        assert figures in proposal.explanation, proposal.explanation

    (adjustment,) = approve(proposal, sam)
    assert (adjustment.amount_minor, adjustment.kind, adjustment.charge) == (-1_35, "correction", "inbound")
    assert adjustment.period == "2026-01"
    invoice = next_invoice()
    assert adjustment_lines(invoice) == [
        ("Calls corrected after billing, January 2026: Inbound calls", -1_35, -12)
    ]
    assert invoice.total_minor == -1_47
    assert books_differences() == []


def test_the_invoice_and_the_call_stay_as_they_were_billed(sam: User) -> None:
    _, made = billed(3)
    before = Invoice.objects.values().get()
    say(made[0], sam)
    say(made[1], sam, "removed")
    approve(the_proposal(), sam)
    assert Invoice.objects.values().get() == before
    assert verify_invoice("CIC-000001") == []
    assert Call.objects.get(id=made[0].id).flags == []


def test_each_word_of_staff_takes_the_call_off_once(sam: User) -> None:
    _, made = billed(10)
    for call, says in zip(made, ("spam", "wrong_number", "test", "removed"), strict=False):
        say(call, sam, says)
    assert the_proposal().amount_minor == 4 * 1_35
    for call, says in ((made[0], "spam"), (made[3], "spam"), (made[3], "removed")):
        with pytest.raises(NotCorrectable, match="already"):
            say(call, sam, says)
    say(made[0], sam, "test")  # spam and a test: still one call
    assert the_proposal().amount_minor == 4 * 1_35


def test_what_staff_say_needs_a_reason_and_is_in_the_audit_log(sam: User) -> None:
    _, made = billed(2)
    with pytest.raises(ReasonMissing):
        say(made[0], sam, reason="  ")
    assert CallCorrection.objects.count() == 0
    say(made[0], sam)
    proposal = the_proposal()
    with pytest.raises(ReasonMissing):
        approve(proposal, sam, reason=" ")
    approve(proposal, sam)
    actions = list(StaffAction.objects.order_by("at", "id").values_list("action", "actor_id"))
    assert actions == [("correct_call", sam.id), ("approve_proposal", sam.id)]


def test_a_call_that_was_not_billed_cannot_be_corrected_so(sam: User) -> None:
    acme, _ = billed(1)
    (fresh,) = world.calls(acme, 1, on=date(2026, 2, 5))
    with pytest.raises(NotCorrectable, match="not been billed"):
        say(fresh, sam)


def test_a_refused_proposal_leaves_nothing(sam: User) -> None:
    _, made = billed(5)
    say(made[0], sam)
    refuse(the_proposal(), sam)
    assert propose_corrections(now=TENTH).proposals == []
    assert Adjustment.objects.count() == 0
    say(made[1], sam)
    assert the_proposal().amount_minor == 1_35  # the refused one does not come back
    assert next_invoice().total_minor == 0


def test_a_proposal_is_decided_once(sam: User) -> None:
    _, made = billed(5)
    say(made[0], sam)
    proposal = the_proposal()
    approve(proposal, sam)
    for again in (approve, refuse):
        with pytest.raises(CannotDecide, match="approved on 10 February 2026 by sam"):
            again(proposal, sam)
    assert Adjustment.objects.count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        CreditProposal.objects.update(state="proposed")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE usage_callcorrection SET reason = 'other'")


def test_a_proposal_that_grew_must_be_looked_at_again(sam: User) -> None:
    _, made = billed(5)
    say(made[0], sam)
    seen = the_proposal()
    say(made[1], sam)
    assert the_proposal().id == seen.id
    with pytest.raises(CannotDecide, match="Look at it again"):
        approve(seen, sam)
    approve(the_proposal(), sam)
    assert Adjustment.objects.get().amount_minor == -2_70


def test_two_corrections_in_a_row_credit_the_rest_exactly(sam: User) -> None:
    _, made = billed(80, MINIMUM)  # 108.00, the minimum is 100.00
    for call in made[:4]:
        say(call, sam)
    first = the_proposal()
    assert first.amount_minor == 5_40
    approve(first, sam)
    for call in made[4:8]:
        say(call, sam)
    second = the_proposal()
    assert second.amount_minor == 8_00 - 5_40  # down to the minimum, no further
    assert {line["charge"]: line["amount"] for line in second.lines} == {"inbound": 5_40, "minimum": -2_80}
    assert "Credited before: $5.40, which leaves $2.60" in second.explanation
    assert len(second.calls) == 4
    approve(second, sam)
    assert sum(Adjustment.objects.values_list("amount_minor", flat=True)) == -8_00


def test_under_the_minimum_there_is_nothing_to_credit(sam: User) -> None:
    _, made = billed(20, MINIMUM)
    say(made[0], sam)
    report = propose_corrections(now=TENTH)
    assert (report.proposals, report.problems) == ([], [])
    assert CreditProposal.objects.count() == 0
    assert CallCorrection.objects.get().examined_at == TENTH


def sent_again(acme: Company, call: Call, talk_ms: int, revision: int = 2, **changes: Any) -> Any:
    """Deliver a call of the switch again with another talk time."""
    values = {
        "id": call.source_call_id,
        "started_at": call.started_at,
        "ended_at": call.started_at + timedelta(milliseconds=max(talk_ms, 60_000)),
        "talk_ms": talk_ms,
        "wrap_ms": None,
        "direction": "inbound",
        "disposition": "answered",
        "service": None,
        "queue": None,
        "number": None,
        "from_number": None,
        "to_number": None,
        "flags": [],
        **changes,
    }
    return files.deliver([(values, revision)], company=acme.key)


PER_MINUTE = world.PER_CALL.replace('unit = "call"', 'unit = "minute"')


def switch_call() -> tuple[Company, Call]:
    """One call of one minute at 1.35 a minute, delivered by a file and billed."""
    acme = world.company(contract=world.terms(PER_MINUTE))
    (call,) = world.calls(acme, 1, source="switch")
    run_billing(now=FEBRUARY)
    return acme, call


def test_a_file_that_corrects_billed_calls_proposes_the_difference_both_ways(sam: User) -> None:
    acme, call = switch_call()
    report = sent_again(acme, call, 20_000)
    assert (report.corrected, report.set_aside, report.revised) == (1, 0, 0)
    credit = the_proposal()
    assert credit.amount_minor == 90
    assert credit.calls[0]["by"] == "import"
    assert "talk in ms 60000" in credit.calls[0]["was"]
    assert "talk in ms 20000" in credit.calls[0]["now"]
    approve(credit, sam)

    assert sent_again(acme, call, 20_000).repeated == 1  # the same file again changes nothing
    assert propose_corrections(now=TENTH).proposals == []

    assert sent_again(acme, call, 120_000, revision=3).corrected == 1
    charge = the_proposal()
    assert charge.amount_minor == 45 - 2_70
    assert "it is a charge" in charge.explanation
    (adjustment,) = approve(charge, sam)
    assert adjustment.amount_minor == 2_25
    assert sent_again(acme, call, 50_000, revision=2).repeated == 1  # an older word comes too late
    assert adjustment_lines(next_invoice())[0][1:] == (-90, 0)
    assert verify_invoice("CIC-000001") == []


def test_a_correction_that_is_taken_back_withdraws_the_proposal(sam: User) -> None:
    acme, call = switch_call()
    sent_again(acme, call, 20_000)
    proposal = the_proposal()
    assert sent_again(acme, call, 60_000, revision=3, wrap_ms=None).corrected == 1
    assert propose_corrections(now=TENTH).proposals == []
    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by) == ("refused", None)
    assert "Withdrawn" in proposal.decision_reason
    assert Adjustment.objects.count() == 0


def test_flags_of_staff_outlive_what_the_source_sends(sam: User) -> None:
    acme, call = switch_call()
    say(call, sam)
    sent_again(acme, call, 20_000)
    assert the_proposal().amount_minor == 1_35
    refuse(the_proposal(), sam)
    assert sent_again(acme, call, 20_000).repeated == 1
    assert propose_corrections(now=TENTH).proposals == []


def test_late_calls_are_corrected_with_the_period_they_belong_to(sam: User) -> None:
    acme, made = billed(3)
    (late,) = world.calls(acme, 1, on=date(2026, 1, 20))
    run_billing(now=MARCH)
    say(late, sam)
    say(made[0], sam)
    proposal = the_proposal()
    assert proposal.amount_minor == 2_70
    assert proposal.stretch == Stretch.objects.get(kind="period", first_day=date(2026, 1, 1))


def void(invoice: Invoice, actor: User) -> Any:
    return invoicing.void_invoice(
        invoice_id=invoice.id, reason="Wrong", actor_id=actor.id, now=TENTH, bill_again=True
    )


def test_what_was_proposed_follows_the_calls_to_the_invoice_that_bills_them_again(sam: User) -> None:
    _, made = billed(5)
    say(made[0], sam)
    first = the_proposal()
    replacement = void(Invoice.objects.get(), sam).replacement
    first.refresh_from_db()
    assert first.state == "refused"
    assert "voided" in first.decision_reason
    again = the_proposal()
    assert (again.invoice, again.amount_minor) == (replacement, 1_35)
    approve(again, sam)
    with pytest.raises(invoicing.VoidRefused, match="was approved"):
        void(replacement, sam)


INCLUSIVE = TAXED.replace("[tax]", '[tax]\nbehavior = "inclusive"')


def test_where_prices_include_tax_the_credit_does_too(sam: User) -> None:
    _, made = billed(10, INCLUSIVE)
    say(made[0], sam)
    proposal = the_proposal()
    assert (proposal.amount_minor, proposal.tax_minor) == (1_35, 0)
    assert "with tax inside" in proposal.explanation
    approve(proposal, sam)
    assert next_invoice().total_minor == -1_35


def test_the_minimum_looks_at_both_parts_of_a_month_with_two_contracts(sam: User) -> None:
    """30 calls at 1.35 and 30 at 1.00 are 70.50, over a minimum of 60.00 that the second part fills up."""
    floor = '[minimum]\namount = "60.00"\n'
    acme = world.company(contract=world.terms(world.PER_CALL + floor))
    cheaper = world.terms(world.PER_CALL.replace("1.35", "1.00") + floor, effective_from=date(2026, 1, 16))
    add_version(holder=acme, terms=cheaper, now=world.LOADED_AT)
    made = world.calls(acme, 30, on=date(2026, 1, 10))
    world.calls(acme, 30, on=date(2026, 1, 20))
    run_billing(now=FEBRUARY)
    assert Invoice.objects.get().total_minor == 70_50
    for call in made[:10]:
        say(call, sam)
    proposal = the_proposal()
    assert proposal.amount_minor == 10_50  # 13.50 less usage, 3.00 of it taken back by the minimum
    assert {line["charge"]: line["amount"] for line in proposal.lines} == {"inbound": 13_50, "minimum": -3_00}


POOLED = world.PER_CALL.replace('currency = "USD"', 'currency = "USD"\npayer = "organization"').replace(
    'rate = "1.35"', 'included = 450\npooled = true\nrate = "1.10"'
)


def test_a_correction_in_a_pool_moves_the_shares_of_all_its_companies(sam: User) -> None:
    """120, 40 and 310 calls against 450 included are 22.00 (M18); without 5 of them 16.50."""
    group = world.organization()
    made: dict[str, list[Call]] = {}
    for key, count in (("north", 120), ("south", 40), ("west", 310)):
        company = world.company(key, key.title(), world.terms(POOLED), of=group)
        made[key] = world.calls(company, count)
    run_billing(now=FEBRUARY)
    before = {s.company.key: s.subtotal_minor for s in Invoice.objects.get().sections.all()}
    assert before == {"north": 5_62, "south": 1_87, "west": 14_51}
    for call in made["west"][:5]:
        say(call, sam)
    propose_corrections(now=TENTH)
    credits = {each.company.key: each.amount_minor for each in CreditProposal.objects.all()}
    assert sum(credits.values()) == 5_50
    assert credits == {"north": 5_62 - 4_26, "south": 1_87 - 1_42, "west": 14_51 - 10_82}
    assert "Calls of the same pool changed" in CreditProposal.objects.get(company__key="north").explanation
