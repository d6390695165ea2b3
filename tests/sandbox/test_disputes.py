"""Disputes, inquiries and early fraud warnings: what test cards bring, what evidence and people decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from stripe_sandbox.handle import Handle

from .sdk_types import response_errors

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]
DAY = 86400


def dispute_of(sandbox: Handle, client: stripe.StripeClient, paid: stripe.PaymentIntent) -> stripe.Dispute:
    """The dispute that a test card brings some seconds after its charge."""
    assert client.v1.disputes.list({"payment_intent": paid.id}).data == []
    sandbox.advance(10)
    (dispute,) = client.v1.disputes.list({"payment_intent": paid.id}).data
    return dispute


def told(client: stripe.StripeClient, word: str = "charge.dispute.*") -> list[str]:
    """The events of a group, oldest first."""
    return [event.type for event in client.v1.events.list({"type": word, "limit": 100}).data][::-1]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("pm_card_createDispute", "fraudulent"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received"),
    ],
)
def test_a_chargeback_takes_the_money_and_a_fee(
    *,
    sandbox: Handle,
    client: stripe.StripeClient,
    saved_card: Saved,
    charge: Charge,
    token: str,
    reason: str,
) -> None:
    paid = charge(*saved_card(token))
    assert paid.status == "succeeded"
    dispute = dispute_of(sandbox, client, paid)
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", reason, 5000)
    assert dispute.is_charge_refundable is False
    assert response_errors(dispute.to_dict(), stripe.Dispute) == []
    (line,) = dispute.balance_transactions
    assert (line.type, line.reporting_category) == ("adjustment", "dispute")
    assert (line.amount, line.fee, line.net, line.source) == (-5000, 1500, -6500, dispute.id)
    assert [detail.amount for detail in line.fee_details] == [1500]
    charged = client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charged.disputed, charged.paid, charged.refunded) == (True, True, False)
    assert told(client) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": paid.id})
    assert refused.value.code == "charge_disputed"
    assert client.v1.disputes.retrieve(dispute.id, {"expand": ["charge"]}).charge.id == charged.id
    assert [one.id for one in client.v1.disputes.list({"charge": charged.id}).data] == [dispute.id]
    assert client.v1.disputes.list({"charge": "ch_other"}).data == []


def test_evidence_wins_and_the_money_comes_back_with_the_fee(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card("pm_card_createDispute"))
    dispute = dispute_of(sandbox, client, paid)
    staged = client.v1.disputes.update(
        dispute.id, {"evidence": {"customer_name": "Acme Dental"}, "submit": False, "metadata": {"case": "7"}}
    )
    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    assert (staged.evidence_details.submission_count, staged.metadata["case"]) == (0, "7")
    sent = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    assert sent.evidence.customer_name == "Acme Dental"
    sandbox.advance(10)
    won = client.v1.disputes.retrieve(dispute.id)
    assert won.status == "won"
    assert response_errors(won.to_dict(), stripe.Dispute) == []
    taken, back = won.balance_transactions
    assert (back.reporting_category, back.amount, back.fee, back.net) == (
        "dispute_reversal",
        5000,
        -1500,
        6500,
    )
    assert taken.net + back.net == 0
    assert told(client)[-2:] == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
    assert told(client).count("charge.dispute.updated") == 2
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.close(dispute.id)
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.update(dispute.id, {"evidence": {"receipt": "file_1"}})
    assert client.v1.refunds.create({"payment_intent": paid.id, "amount": 100}).status == "succeeded"


@pytest.mark.parametrize("way", ["evidence", "close", "silence", "control"])
def test_a_chargeback_is_lost_four_ways(
    *, sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge, way: str
) -> None:
    dispute = dispute_of(sandbox, client, charge(*saved_card("pm_card_createDispute")))
    if way == "evidence":
        client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "losing_evidence"}})
        sandbox.advance(10)
    elif way == "close":
        assert client.v1.disputes.close(dispute.id).status == "lost"
    elif way == "silence":
        sandbox.advance(13 * DAY)
        assert client.v1.disputes.retrieve(dispute.id).status == "needs_response"
        sandbox.advance(1 * DAY)
    else:
        sandbox.control("POST", f"/disputes/{dispute.id}/close", {"outcome": "lost"})
    lost = client.v1.disputes.retrieve(dispute.id)
    assert (lost.status, lost.evidence_details.past_due) == ("lost", way == "silence")
    assert len(lost.balance_transactions) == 1
    assert told(client)[-1] == "charge.dispute.closed"
    assert "charge.dispute.funds_reinstated" not in told(client)


def test_evidence_in_time_keeps_a_chargeback_open(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    dispute = dispute_of(sandbox, client, charge(*saved_card("pm_card_createDispute")))
    client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "We did answer the calls."}})
    sandbox.advance(200 * DAY)
    assert client.v1.disputes.retrieve(dispute.id).status == "under_review"
    sandbox.control("POST", f"/disputes/{dispute.id}/close", {"outcome": "won"})
    assert client.v1.disputes.retrieve(dispute.id).status == "won"


def test_an_inquiry_takes_no_money_and_ends_by_itself(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card("pm_card_createDisputeInquiry"))
    inquiry = dispute_of(sandbox, client, paid)
    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    assert (inquiry.is_charge_refundable, inquiry.payment_method_details.card.case_type) == (True, "inquiry")
    assert told(client) == ["charge.dispute.created"]
    assert client.v1.refunds.create({"payment_intent": paid.id, "amount": 100}).status == "succeeded"
    sandbox.advance(121 * DAY)
    assert client.v1.disputes.retrieve(inquiry.id).status == "warning_closed"
    assert [name for name in told(client) if "funds" in name] == []


def test_an_inquiry_is_escalated_by_its_evidence(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    inquiry = dispute_of(sandbox, client, charge(*saved_card("pm_card_createDisputeInquiry")))
    sent = client.v1.disputes.update(
        inquiry.id, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}}
    )
    assert sent.status == "warning_under_review"
    sandbox.advance(10)
    escalated = client.v1.disputes.retrieve(inquiry.id)
    assert (escalated.status, escalated.is_charge_refundable) == ("needs_response", False)
    assert [line.net for line in escalated.balance_transactions] == [-6500]
    assert told(client)[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    updated = client.v1.events.list({"type": "charge.dispute.updated"}).data[0]
    assert updated.data.previous_attributes["status"] == "warning_under_review"
    sandbox.advance(15 * DAY)
    assert client.v1.disputes.retrieve(inquiry.id).status == "lost"


def test_an_issuer_warns_of_fraud(sandbox: Handle, client: stripe.StripeClient, charge: Charge) -> None:
    customer = client.v1.customers.create({}).id
    card = {"number": "4000000000005423", "exp_month": 1, "exp_year": 2044, "cvc": "123"}
    made = client.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[typeddict-item]
    client.v1.payment_methods.attach(made.id, {"customer": customer})
    paid = charge(customer, made.id)
    sandbox.advance(10)
    (warning,) = client.v1.radar.early_fraud_warnings.list({"payment_intent": paid.id}).data
    assert (warning.actionable, warning.charge) == (True, paid.latest_charge)
    assert response_errors(warning.to_dict(), stripe.radar.EarlyFraudWarning) == []
    assert told(client, "radar.*") == ["radar.early_fraud_warning.created"]
    client.v1.refunds.create({"payment_intent": paid.id})
    assert client.v1.radar.early_fraud_warnings.retrieve(warning.id).actionable is False
    assert told(client, "radar.*")[-1] == "radar.early_fraud_warning.updated"
    assert client.v1.disputes.list().data == []


def test_a_person_raises_disputes_and_warnings(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    first, second = (str(charge(customer, method).latest_charge) for _ in range(2))
    made = sandbox.control(
        "POST", "/disputes", {"charge": first, "reason": "duplicate", "amount": 1200, "due_in_days": 3}
    )
    assert (made["status"], made["amount"], made["reason"]) == ("needs_response", 1200, "duplicate")
    assert made["evidence_details"]["due_by"] == made["created"] + 3 * DAY
    inquiry = sandbox.control("POST", "/disputes", {"charge": second, "inquiry": True})
    assert sandbox.control("POST", f"/disputes/{inquiry['id']}/close", {"outcome": "warning_closed"})
    again = sandbox.control("POST", "/disputes", {"charge": second})
    assert again["status"] == "needs_response"
    warning = sandbox.control("POST", "/early_fraud_warnings", {"charge": first})
    assert (warning["charge"], warning["actionable"]) == (first, False)
    assert len(client.v1.disputes.list().data) == 3


def test_a_refunded_charge_is_not_escalated(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card())
    inquiry = sandbox.control("POST", "/disputes", {"charge": paid.latest_charge, "inquiry": True})
    client.v1.refunds.create({"payment_intent": paid.id})
    escalated = sandbox.control("POST", f"/disputes/{inquiry['id']}/escalate", {})
    assert (escalated["status"], escalated["balance_transactions"]) == ("warning_closed", [])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"charge": "ch_none"}, "no charge ch_none"),
        ({"reason": "whim"}, "reason must be one of"),
        ({"amount": 5001}, "between 1 and 5000"),
        ({"amount": "all"}, "amount must be a whole number"),
        ({"due_in_days": 0}, "between 1 and 365"),
        ({"inquiry": "yes"}, "true or false"),
        ({"colour": "red"}, "no colour here"),
    ],
)
def test_a_dispute_that_makes_no_sense_is_refused(
    *,
    sandbox: Handle,
    client: stripe.StripeClient,
    saved_card: Saved,
    charge: Charge,
    given: dict[str, Any],
    words: str,
) -> None:
    paid = charge(*saved_card())
    with pytest.raises(ValueError, match=words):
        sandbox.control("POST", "/disputes", {"charge": paid.latest_charge, **given})
    assert client.v1.disputes.list().data == []


def test_a_dispute_is_decided_once_and_as_its_kind_allows(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    charges = [str(charge(customer, method).latest_charge) for _ in range(2)]
    chargeback = sandbox.control("POST", "/disputes", {"charge": charges[0]})["id"]
    inquiry = sandbox.control("POST", "/disputes", {"charge": charges[1], "inquiry": True})["id"]
    for dispute, outcome, words in (
        (chargeback, "warning_closed", "won or lost"),
        (chargeback, "maybe", "won or lost"),
        (inquiry, "won", "only be warning_closed"),
        ("du_none", "won", "no dispute du_none"),
    ):
        with pytest.raises(ValueError, match=words):
            sandbox.control("POST", f"/disputes/{dispute}/close", {"outcome": outcome})
    with pytest.raises(ValueError, match="only an inquiry can be escalated"):
        sandbox.control("POST", f"/disputes/{chargeback}/escalate", {})
    sandbox.control("POST", f"/disputes/{chargeback}/close", {"outcome": "lost"})
    with pytest.raises(ValueError, match="closed already"):
        sandbox.control("POST", f"/disputes/{chargeback}/close", {"outcome": "won"})
    with pytest.raises(ValueError, match="disputed already"):
        sandbox.control("POST", "/disputes", {"charge": charges[0]})
