"""Whatever happens to charges, the account's books add up: property tests over made-up histories."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from stripe_sandbox.app import Sandbox
from stripe_sandbox.messages import Request
from stripe_sandbox.settings import Settings

HEADERS = {"authorization": "Bearer sk_test_x", "content-type": "application/json"}
CARDS = ("pm_card_visa", "pm_card_refundFail", "pm_card_createDispute", "pm_card_createDisputeInquiry")
CHARGES = st.tuples(
    st.just("charge"), st.sampled_from(CARDS), st.integers(50, 90000), st.sampled_from(["usd", "eur"])
)
PASSES = st.tuples(st.just("advance"), st.sampled_from([1, 10, 3600, 86400, 3 * 86400, 130 * 86400]))
WORDS = st.sampled_from(["winning", "losing", "escalate_inquiry"])
OUTCOMES = st.sampled_from(["won", "lost", "warning_closed"])
STEPS = st.one_of(
    CHARGES,
    PASSES,
    st.tuples(st.just("refund"), st.integers(0, 5), st.integers(1, 50000)),
    st.tuples(st.just("dispute"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("evidence"), st.integers(0, 5), WORDS),
    st.tuples(st.just("decide"), st.integers(0, 5), OUTCOMES),
    st.tuples(st.just("payout"), st.booleans()),
)
# Something is charged and time passes between any two other things.
ROUNDS = st.lists(st.tuples(CHARGES, PASSES, STEPS, STEPS), min_size=2, max_size=8)


class History:
    """A sandbox in this process to which steps happen; what Stripe refuses simply does not happen."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(Settings())
        self.customer = ""

    async def call(self, method: str, path: str, **params: Any) -> Any:
        """The answer's body, None when it was refused; a failure of the sandbox itself fails the test."""
        text = json.dumps(params) if path.startswith("/_sandbox") else urlencode(params)
        query, body = (text, b"") if method == "GET" else ("", text.encode())
        answer = await self.sandbox.answer(Request(method, path, query, dict(HEADERS), body, "http://here"))
        assert answer.status < 500, answer.body
        return json.loads(answer.body) if answer.status == 200 else None

    async def all(self, path: str, **params: Any) -> list[Any]:
        """A whole list, page by page."""
        found: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            page = await self.call("GET", path, limit=7, **params, **more)
            found += page["data"]
            if not page["has_more"]:
                return found
            more = {"starting_after": found[-1]["id"]}

    async def one(self, path: str, number: int) -> Any:
        """Some object of a list, or None of an empty one."""
        found = await self.all(path)
        return found[number % len(found)] if found else None

    async def happen(self, step: tuple[Any, ...]) -> None:
        """One step of the history."""
        match step:
            case ("charge", token, amount, currency):
                self.customer = self.customer or (await self.call("POST", "/v1/customers"))["id"]
                attach = f"/v1/payment_methods/{token}/attach"
                method = (await self.call("POST", attach, customer=self.customer))["id"]
                wanted = {"amount": amount, "currency": currency, "customer": self.customer}
                wanted |= {"payment_method": method, "confirm": "true", "off_session": "true"}
                wanted |= {"allowed_payment_method_types[]": "card"}
                await self.call("POST", "/v1/payment_intents", **wanted)
            case ("refund", number, amount) if charge := await self.one("/v1/charges", number):
                await self.call("POST", "/v1/refunds", charge=charge["id"], amount=amount)
            case ("dispute", number, inquiry) if charge := await self.one("/v1/charges", number):
                await self.call("POST", "/_sandbox/disputes", charge=charge["id"], inquiry=inquiry)
            case ("evidence", number, word) if dispute := await self.one("/v1/disputes", number):
                text = {"evidence[uncategorized_text]": f"{word}_evidence"}
                await self.call("POST", f"/v1/disputes/{dispute['id']}", **text)
            case ("decide", number, outcome) if dispute := await self.one("/v1/disputes", number):
                await self.call("POST", f"/_sandbox/disputes/{dispute['id']}/close", outcome=outcome)
            case ("payout", fail):
                await self.call("POST", "/_sandbox/payouts/close", fail=fail)
            case ("advance", seconds):
                await self.call("POST", "/_sandbox/clock", advance=seconds)

    async def check(self) -> None:
        """Everything that must hold at every moment."""
        lines = await self.all("/v1/balance_transactions")
        held = await self.call("GET", "/v1/balance")
        for part, status in (("available", "available"), ("pending", "pending")):
            told = {one["currency"]: one["amount"] for one in held[part] if one["amount"]}
            sums: dict[str, int] = {}
            for line in lines:
                if line["status"] == status:
                    sums[line["currency"]] = sums.get(line["currency"], 0) + line["net"]
            assert told == {currency: amount for currency, amount in sums.items() if amount}
        assert all(line["net"] == line["amount"] - line["fee"] for line in lines)
        assert all(sum(one["amount"] for one in line["fee_details"]) == line["fee"] for line in lines)
        for payout in await self.all("/v1/payouts"):
            inside = await self.all("/v1/balance_transactions", payout=payout["id"])
            assert sum(line["net"] for line in inside) == 0
            assert sum(line["net"] for line in inside if line["type"] != "payout") == payout["amount"] > 0
        for charge in await self.all("/v1/charges"):
            refunds = await self.all("/v1/refunds", charge=charge["id"])
            kept = sum(one["amount"] for one in refunds if one["status"] != "failed")
            assert kept == charge["amount_refunded"] <= charge["amount"]
            booked = await self.all("/v1/balance_transactions", source=charge["id"])
            assert [line["id"] for line in booked] == [one for one in [charge["balance_transaction"]] if one]
        for dispute in await self.all("/v1/disputes"):
            nets = [line["net"] for line in dispute["balance_transactions"]]
            if dispute["status"] in ("needs_response", "under_review", "lost"):
                assert nets == [-dispute["amount"] - 1500]
            else:
                assert sum(nets) == 0


@settings(max_examples=40)
@given(ROUNDS)
def test_the_books_add_up_whatever_happens(rounds: list[tuple[tuple[Any, ...], ...]]) -> None:
    async def live() -> None:
        history = History()
        for steps in rounds:
            for step in steps:
                await history.happen(step)
        await history.check()

    with ThreadPoolExecutor(1) as thread:  # the tests' own thread may hold Playwright's event loop
        thread.submit(asyncio.run, live()).result()
