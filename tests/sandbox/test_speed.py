"""Nothing grows slower as objects pile up: no statement of a payment reads a whole table."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from stripe_sandbox.app import Sandbox
from stripe_sandbox.messages import Request
from stripe_sandbox.settings import Settings

HEADERS = {"authorization": "Bearer sk_test_x"}


async def story(sandbox: Sandbox) -> None:
    """A payment, a refund and every list a program would ask for."""

    async def call(method: str, path: str, **params: Any) -> Any:
        text = urlencode(params)
        query, body = (text, b"") if method == "GET" else ("", text.encode())
        headers = {**HEADERS, "idempotency-key": f"{path}{text}"}
        response = await sandbox.answer(Request(method, path, query, headers, body, "http://here"))
        answer = json.loads(response.body)
        assert response.status == 200, answer
        return answer

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
    with ThreadPoolExecutor(1) as thread:  # the tests' own thread may hold Playwright's event loop
        thread.submit(asyncio.run, story(sandbox)).result()
    sandbox.store.db.set_trace_callback(None)
    looked = [text for text in seen if text.startswith(("SELECT", "UPDATE", "DELETE"))]
    assert len(looked) > 20
    for statement in looked:
        plan = [row[3] for row in sandbox.store.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        slow = [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step]
        assert slow == [], f"{statement[:200]}: {plan}"
