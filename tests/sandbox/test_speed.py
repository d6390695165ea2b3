"""Nothing grows slower as objects pile up: no statement of a payment reads a whole table."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from stripe_sandbox.app import Sandbox
from stripe_sandbox.messages import Request
from stripe_sandbox.settings import Settings


class Caller:
    """Requests without a network, each under a key of its own."""

    _numbers = itertools.count()

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def __call__(self, method: str, path: str, **params: Any) -> Any:
        text = urlencode(params)
        query, body = (text, b"") if method == "GET" else ("", text.encode())
        headers = {"authorization": "Bearer sk_test_x", "idempotency-key": f"k{next(self._numbers)}"}
        response = await self._sandbox.answer(Request(method, path, query, headers, body, "http://here"))
        answer = json.loads(response.body)
        assert response.status == 200, answer
        return answer


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run it in a thread: the tests' own may hold Playwright's event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, story).result()


async def payment(call: Caller) -> Any:
    """A customer with a card, charged; the PaymentIntent."""
    customer = (await call("POST", "/v1/customers", name="Acme", email="a@acme.example"))["id"]
    method = (await call("POST", "/v1/payment_methods/pm_card_visa/attach", customer=customer))["id"]
    intent = await call(
        "POST",
        "/v1/payment_intents",
        amount=900,
        currency="usd",
        customer=customer,
        **{"allowed_payment_method_types[]": "card"},
    )
    confirm = f"/v1/payment_intents/{intent['id']}/confirm"
    paid = await call("POST", confirm, payment_method=method, off_session="true")
    assert paid["status"] == "succeeded"
    return paid


async def payments(sandbox: Sandbox, number: int) -> None:
    """So many."""
    call = Caller(sandbox)
    for _ in range(number):
        await payment(call)


async def story(sandbox: Sandbox) -> None:
    """A payment, a refund and every list a program would ask for."""
    call = Caller(sandbox)
    paid = await payment(call)
    customer = paid["customer"]
    await call("POST", "/v1/refunds", payment_intent=paid["id"])
    first = (await call("GET", "/v1/customers"))["data"][0]["id"]
    for path, params in (
        ("customers", {"email": "a@acme.example", "starting_after": first}),
        ("payment_methods", {"customer": customer, "type": "card"}),
        ("payment_intents", {"customer": customer, "limit": "100"}),
        ("payment_intents", {"created[gte]": "1", "starting_after": paid["id"]}),
        ("payment_intents", {"created[gte]": "1", "ending_before": paid["id"]}),
        ("payment_intents", {"created[gte]": "1", "customer": customer}),
        ("charges", {"payment_intent": paid["id"]}),
        ("charges", {"customer": customer}),
        ("refunds", {"charge": paid["latest_charge"]}),
        ("events", {"type": "charge.succeeded", "created[gte]": "1"}),
        ("events", {"delivery_success": "false"}),
        ("balance_transactions", {"source": paid["latest_charge"]}),
    ):
        await call("GET", f"/v1/{path}", **params)


def test_no_statement_reads_a_whole_table() -> None:
    sandbox = Sandbox(Settings(webhook_url="http://127.0.0.1:9/"))
    seen: set[str] = set()
    sandbox.store.db.set_trace_callback(seen.add)
    run(story(sandbox))
    sandbox.store.db.set_trace_callback(None)
    looked = [text for text in seen if text.startswith(("SELECT", "UPDATE", "DELETE"))]
    assert len(looked) > 20
    for statement in looked:
        plan = [row[3] for row in sandbox.store.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        slow = [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step]
        assert slow == [], f"{statement[:200]}: {plan}"


def test_a_payment_costs_the_database_as_much_after_many_as_after_few() -> None:
    """Counted in steps of SQLite's own machine, which no other program can disturb."""
    sandbox = Sandbox(Settings(webhook_url="http://127.0.0.1:9/"))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def measured() -> int:
        nonlocal steps
        steps = 0
        sandbox.store.db.set_progress_handler(count, 1)
        run(payments(sandbox, 1))
        sandbox.store.db.set_progress_handler(None, 1)
        return steps

    run(payments(sandbox, 5))
    after_few = measured()
    run(payments(sandbox, 200))
    assert after_few > 500
    # The number of rows an id is looked for among may add a step here and there.
    after_many = measured()
    assert after_many < after_few * 1.1
