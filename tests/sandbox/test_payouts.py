"""The account's books: balance transactions, the balance by the clock, and payouts of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from stripe_sandbox.handle import Handle
from stripe_sandbox.resources.booking import fee_of
from stripe_sandbox.server import running
from stripe_sandbox.storage import Store

from .conftest import client_for
from .sdk_types import response_errors

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]
DAY = 86400


def balance(client: stripe.StripeClient) -> dict[str, tuple[int, int]]:
    """By currency: available and pending."""
    held = client.v1.balance.retrieve()
    assert response_errors(held.to_dict(), stripe.Balance) == []
    pending = {one.currency: one.amount for one in held.pending}
    return {one.currency: (one.amount, pending[one.currency]) for one in held.available}


def told(client: stripe.StripeClient, word: str) -> list[str]:
    """The events of a group, oldest first."""
    return [event.type for event in client.v1.events.list({"type": word, "limit": 100}).data][::-1]


def payout_of(sandbox: Handle, **given: Any) -> dict[str, Any]:
    """Close the books; the one payout that makes."""
    (payout,) = sandbox.control("POST", "/payouts/close", given)["payouts"]
    return dict(payout)


@given(st.integers(1, 99_999_999))
def test_the_fee_is_29_per_mille_and_30_rounded_half_up(amount: int) -> None:
    exact = amount * 29  # in thousandths
    fee = fee_of(amount) - 30
    assert -500 < fee * 1000 - exact <= 500


def test_a_charge_reaches_the_books_after_its_answer(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card(), expand=["latest_charge"])
    assert paid.latest_charge.balance_transaction is None
    assert balance(client) == {"usd": (0, 0)}
    sandbox.advance(5)
    line = client.v1.charges.retrieve(
        paid.latest_charge.id, {"expand": ["balance_transaction"]}
    ).balance_transaction
    assert (line.amount, line.fee, line.net, line.type) == (5000, 175, 4825, "charge")
    assert (line.status, line.reporting_category) == ("pending", "charge")
    assert line.created - paid.latest_charge.created in (2, 3)
    assert (line.available_on % DAY, line.available_on // DAY - line.created // DAY) == (0, 2)
    assert balance(client) == {"usd": (0, 4825)}
    sandbox.set_clock(line.available_on - 5)
    assert client.v1.balance_transactions.retrieve(line.id).status == "pending"
    assert balance(client) == {"usd": (0, 4825)}
    sandbox.set_clock(line.available_on)
    assert client.v1.balance_transactions.retrieve(line.id).status == "available"
    assert client.v1.balance_transactions.list({"source": line.source}).data[0].status == "available"
    expanded = client.v1.charges.retrieve(paid.latest_charge.id, {"expand": ["balance_transaction"]})
    assert expanded.balance_transaction.status == "available"
    assert balance(client) == {"usd": (4825, 0)}


def test_a_month_that_passes_at_once_is_booked_day_by_day(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card(), expand=["latest_charge"])
    sandbox.advance(30 * DAY)
    (line,) = client.v1.balance_transactions.list({"source": paid.latest_charge.id}).data
    assert line.created - paid.latest_charge.created in (2, 3)
    told_at = client.v1.events.list({"type": "charge.updated"}).data
    assert [event.created - line.created for event in told_at] == [0]


def test_lines_are_listed_by_everything_they_can_be(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    dollars, euros = charge(customer, method), charge(customer, method, currency="eur")
    sandbox.advance(5)
    moment = sandbox.control("GET", "/clock")["now"]
    sandbox.advance(DAY)
    refund = client.v1.refunds.create({"payment_intent": dollars.id, "amount": 700})

    def amounts(**params: Any) -> list[int]:
        lines = client.v1.balance_transactions.list(params).auto_paging_iter()  # type: ignore[arg-type]
        return [line.amount for line in lines]

    assert amounts() == amounts(limit=1) == [-700, 5000, 5000]
    assert amounts(type="refund") == amounts(source=refund.id) == [-700]
    assert amounts(type="charge", currency="eur") == amounts(source=euros.latest_charge) == [5000]
    assert amounts(currency="usd", limit=1) == [-700, 5000]
    assert amounts(created={"gt": moment}) == amounts(created={"gt": moment}, currency="usd") == [-700]
    assert amounts(created={"lte": moment}, type="charge") == [5000, 5000]
    assert amounts(type="payout") == []
    with pytest.raises(stripe.InvalidRequestError) as refused:
        amounts(payout="po_none")
    assert (refused.value.code, refused.value.param) == ("resource_missing", "payout")


def test_a_payout_takes_what_is_available_and_arrives(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    paid = [charge(customer, method), charge(customer, method, amount=2000)]
    assert sandbox.control("POST", "/payouts/close", {}) == {"payouts": []}
    sandbox.advance(3 * DAY)
    client.v1.refunds.create({"payment_intent": paid[1].id, "amount": 500})
    late = charge(customer, method, amount=9000)
    sandbox.advance(5)
    made = payout_of(sandbox)
    assert (made["amount"], made["status"], made["currency"]) == (4825 + 1912 - 500, "pending", "usd")
    assert (made["automatic"], made["reconciliation_status"]) == (True, "in_progress")
    assert response_errors(made, stripe.Payout) == []
    lines = client.v1.balance_transactions.list({"payout": made["id"]}).data
    assert sorted(line.net for line in lines) == [-made["amount"], -500, 1912, 4825]
    assert sum(line.net for line in lines) == 0
    assert {line.source for line in lines} == {
        made["id"],
        paid[0].latest_charge,
        paid[1].latest_charge,
        client.v1.refunds.list({"payment_intent": paid[1].id}).data[0].id,
    }
    assert balance(client) == {"usd": (0, 9000 - fee_of(9000))}
    assert sandbox.control("POST", "/payouts/close", {}) == {"payouts": []}
    sandbox.advance(3700)
    on_its_way = client.v1.payouts.retrieve(made["id"])
    assert (on_its_way.status, on_its_way.reconciliation_status) == ("in_transit", "completed")
    sandbox.advance(DAY)
    arrived = client.v1.payouts.retrieve(made["id"], {"expand": ["balance_transaction"]})
    assert (arrived.status, arrived.balance_transaction.net) == ("paid", -made["amount"])
    assert arrived.arrival_date % DAY == 0
    assert arrived.created < arrived.arrival_date <= arrived.created + DAY
    assert told(client, "payout.*") == [
        "payout.created",
        "payout.updated",
        "payout.reconciliation_completed",
        "payout.updated",
        "payout.paid",
    ]
    assert late.latest_charge not in {
        line.source for line in client.v1.balance_transactions.list({"payout": made["id"]}).data
    }


def test_a_payout_that_bounces_gives_its_money_to_the_next(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    charge(*saved_card())
    sandbox.advance(3 * DAY)
    made = payout_of(sandbox, fail=True)
    sandbox.advance(DAY + 5)
    assert client.v1.payouts.retrieve(made["id"]).status == "paid"
    sandbox.advance(DAY)
    failed = client.v1.payouts.retrieve(made["id"], {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_code) == ("failed", "account_closed")
    back = failed.failure_balance_transaction
    assert (back.type, back.amount, back.source) == ("payout_failure", 4825, made["id"])
    assert told(client, "payout.*")[-3:] == ["payout.paid", "payout.updated", "payout.failed"]
    assert balance(client) == {"usd": (4825, 0)}
    again = payout_of(sandbox)
    lines = client.v1.balance_transactions.list({"payout": again["id"]}).data
    assert sorted(line.type for line in lines) == ["payout", "payout_failure"]
    assert again["amount"] == 4825


def test_currencies_are_paid_out_apart(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    charge(customer, method)
    charge(customer, method, currency="eur", amount=1000)
    sandbox.advance(3 * DAY)
    assert payout_of(sandbox, currency="EUR")["amount"] == 1000 - fee_of(1000)
    assert balance(client) == {"eur": (0, 0), "usd": (4825, 0)}
    assert sandbox.control("POST", "/payouts/close", {"currency": "gbp"}) == {"payouts": []}
    assert payout_of(sandbox)["currency"] == "usd"
    for wrong, words in (
        ({"currency": "xyz"}, "no currency xyz"),
        ({"currency": 7}, "currency must be text"),
        ({"fail": "yes"}, "true or false"),
        ({"when": "now"}, "no when here"),
    ):
        with pytest.raises(ValueError, match=words):
            sandbox.control("POST", "/payouts/close", wrong)


def test_a_disputes_money_leaves_through_the_payout(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    lost = charge(customer, method, amount=1000)
    charge(customer, method, amount=9000)
    sandbox.advance(3 * DAY)
    dispute = sandbox.control("POST", "/disputes", {"charge": lost.latest_charge})
    made = payout_of(sandbox)
    assert made["amount"] == 1000 - fee_of(1000) + 9000 - fee_of(9000) - 1000 - 1500
    assert dispute["id"] in {
        line.source for line in client.v1.balance_transactions.list({"payout": made["id"]}).data
    }


def test_more_went_out_than_came_in_so_nothing_is_paid_out(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card())
    sandbox.advance(5)
    client.v1.refunds.create({"payment_intent": paid.id})
    assert balance(client) == {"usd": (-5000, 4825)}
    assert sandbox.control("POST", "/payouts/close", {}) == {"payouts": []}


def test_payouts_are_listed_by_status_and_arrival(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    made = []
    for _ in range(3):
        charge(customer, method)
        sandbox.advance(3 * DAY)
        made.append(payout_of(sandbox))

    def ids(**params: Any) -> list[str]:
        return [one.id for one in client.v1.payouts.list(params).auto_paging_iter()]  # type: ignore[arg-type]

    newest = [one["id"] for one in reversed(made)]
    assert ids() == ids(limit=1) == newest
    assert ids(status="paid") == newest[1:]
    assert ids(status="pending") == newest[:1]
    assert ids(status="failed") == []
    day = made[1]["arrival_date"]
    assert ids(arrival_date=day) == newest[1:2]
    assert ids(arrival_date={"gte": day}) == newest[:2]
    assert ids(arrival_date={"gt": day}) == newest[:1]
    assert ids(arrival_date={"lt": day}, status="paid") == newest[2:]
    assert ids(created={"lte": made[1]["created"]}) == newest[1:]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        ids(status="lost")
    assert refused.value.param == "status"


def test_books_disputes_and_payouts_survive_a_restart(tmp_path: Path) -> None:
    state = str(tmp_path / "state.sqlite3")
    with running(state=state) as sandbox:
        client = client_for(sandbox)
        customer = client.v1.customers.create({}).id
        method = client.v1.payment_methods.attach("pm_card_createDispute", {"customer": customer}).id
        for _ in range(2):
            client.v1.payment_intents.create(
                {
                    "amount": 9000,
                    "currency": "usd",
                    "customer": customer,
                    "payment_method": method,
                    "confirm": True,
                    "off_session": True,
                    "allowed_payment_method_types": ["card"],
                }
            )
        sandbox.advance(DAY)
        first = client.v1.disputes.list().data[0]
        sandbox.control("POST", f"/disputes/{first.id}/close", {"outcome": "won"})
        sandbox.advance(2 * DAY)
        made = payout_of(sandbox)
        before = [client.v1.disputes.list().to_dict(), balance(client)]
    with running(state=state) as sandbox:
        client = client_for(sandbox)
        assert [client.v1.disputes.list().to_dict(), balance(client)] == before
        sandbox.advance(DAY)
        assert client.v1.payouts.retrieve(made["id"]).status == "paid"
        sandbox.advance(20 * DAY)
        assert sorted(one.status for one in client.v1.disputes.list().data) == ["lost", "won"]


def test_a_file_of_an_older_sandbox_is_taken_over(tmp_path: Path) -> None:
    state = tmp_path / "old.sqlite3"
    with sqlite3.connect(state) as old:
        old.executescript(
            "CREATE TABLE object (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
            " created INTEGER NOT NULL, customer TEXT, payment_intent TEXT, charge TEXT, label TEXT,"
            " body TEXT NOT NULL)"
        )
        for number in range(3):
            line = {"id": f"txn_{number}", "currency": "usd", "available_on": 2 * DAY, "net": 100 + number}
            old.execute(
                "INSERT INTO object (id, kind, created, body) VALUES (?, 'balance_transaction', 1, ?)",
                (line["id"], json.dumps(line)),
            )
    old.close()
    store = Store(str(state))
    assert store.held(2 * DAY) == {"usd": (303, 0)}
    assert store.held(DAY) == {"usd": (0, 303)}
    assert store.pay_out("po_1", "usd", 2 * DAY) == 3
    store.close()
    again = Store(str(state))
    assert again.held(2 * DAY) == {"usd": (303, 0)}
    assert again.pay_out("po_2", "usd", 2 * DAY) == 0
    again.close()
