"""No list grows slower as objects pile up: every one is read along an index; what is due later is done."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from stripe_sandbox.app import Sandbox
from stripe_sandbox.context import Context
from stripe_sandbox.later import ACTIONS, do_due
from stripe_sandbox.messages import Request
from stripe_sandbox.settings import Settings

HEADERS = {"authorization": "Bearer sk_test_x", "content-type": "application/json"}


async def call(sandbox: Sandbox, method: str, path: str, **params: Any) -> Any:
    """One request, to the API in form encoding or to the switches in JSON."""
    text = json.dumps(params) if path.startswith("/_sandbox") else urlencode(params)
    query, body = (text, b"") if method == "GET" else ("", text.encode())
    response = await sandbox.answer(Request(method, path, query, dict(HEADERS), body, "http://here"))
    answer = json.loads(response.body)
    assert response.status == 200, answer
    return answer


async def story(sandbox: Sandbox) -> int:
    """A disputed payment, a payout, and every list of them in every way; how many lists."""
    customer = (await call(sandbox, "POST", "/v1/customers"))["id"]
    method = (await call(sandbox, "POST", "/v1/payment_methods/pm_card_visa/attach", customer=customer))["id"]
    paid = await call(
        sandbox,
        "POST",
        "/v1/payment_intents",
        amount=9000,
        currency="usd",
        customer=customer,
        payment_method=method,
        confirm="true",
        off_session="true",
        **{"allowed_payment_method_types[]": "card"},
    )
    charge = paid["latest_charge"]
    await call(sandbox, "POST", "/_sandbox/clock", advance=3 * 86400)
    dispute = await call(sandbox, "POST", "/_sandbox/disputes", charge=charge, amount=100)
    warning = await call(sandbox, "POST", "/_sandbox/early_fraud_warnings", charge=charge)
    payout = (await call(sandbox, "POST", "/_sandbox/payouts/close"))["payouts"][0]
    await call(sandbox, "POST", "/_sandbox/clock", advance=86400)
    event = (await call(sandbox, "GET", "/v1/events"))["data"][0]["id"]
    line = payout["balance_transaction"]
    since = {"created[gte]": payout["created"] - 10 * 86400}
    lists: list[tuple[str, dict[str, Any]]] = [
        ("balance", {}),
        ("balance_transactions", {}),
        ("balance_transactions", {"payout": payout["id"], "starting_after": line}),
        ("balance_transactions", {"type": "charge", **since}),
        ("balance_transactions", {"type": "adjustment", "currency": "usd", "ending_before": line}),
        ("balance_transactions", {"currency": "usd", **since}),
        ("balance_transactions", {"source": dispute["id"], **since}),
        ("disputes", {"charge": charge}),
        ("disputes", {"payment_intent": paid["id"], **since}),
        ("disputes", since),
        ("payouts", {"status": "paid"}),
        ("payouts", {"status": "paid", **since}),
        ("payouts", {"arrival_date[gte]": payout["created"], "starting_after": payout["id"]}),
        ("payouts", {"arrival_date": payout["arrival_date"], "status": "paid"}),
        ("payouts", since),
        ("radar/early_fraud_warnings", {"charge": charge, "starting_after": warning["id"]}),
        ("radar/early_fraud_warnings", {"payment_intent": paid["id"]}),
        ("radar/early_fraud_warnings", since),
        ("events", {"type": "payout.*", "starting_after": event}),
        ("events", {"types[0]": "payout.paid", "types[1]": "charge.failed", **since}),
        ("events", {"type": "payout.paid", "delivery_success": "false", **since}),
        ("events", {"delivery_success": "false", "ending_before": event}),
        ("events", {"delivery_success": "true", **since}),
        ("events", since),
    ]
    for path, params in lists:
        await call(sandbox, "GET", f"/v1/{path}", **params)
    return len(lists)


def test_no_list_reads_a_whole_table_or_sorts_it() -> None:
    sandbox = Sandbox(Settings(webhook_url="http://127.0.0.1:9/"))
    seen: set[str] = set()
    sandbox.store.db.set_trace_callback(seen.add)
    with ThreadPoolExecutor(1) as thread:  # the tests' own thread may hold Playwright's event loop
        lists = thread.submit(asyncio.run, story(sandbox)).result()
    sandbox.store.db.set_trace_callback(None)
    # The balance is one row per currency and day, and read whole.
    looked = [
        text
        for text in seen
        if text.startswith(("SELECT", "UPDATE", "DELETE")) and "FROM holding" not in text
    ]
    assert len(looked) > lists
    for statement in looked:
        plan = [row[3] for row in sandbox.store.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        slow = [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step]
        assert slow == [], f"{statement[:300]}: {plan}"


def test_a_later_thing_that_fails_is_undone_and_holds_up_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    sandbox = Sandbox(Settings())
    store, clock = sandbox.store, sandbox.clock

    def half(context: Context, target: str) -> None:
        context.store.write_note("half", target, {"done": True})
        raise RuntimeError("the sandbox is broken here")

    ACTIONS["half"], ACTIONS["whole"] = half, lambda ctx, target: ctx.store.write_note("whole", target, {})
    try:
        with store.transaction():
            store.schedule(1, "half", "a")
            store.schedule(2, "whole", "b")
            assert do_due(store, clock, sandbox.pipeline.settings) == 2
    finally:
        del ACTIONS["half"], ACTIONS["whole"]
    assert (store.notes("half"), store.notes("whole")) == ([], [("b", {})])
    assert store.next_due() is None
    assert "the sandbox is broken here" in capsys.readouterr().err
