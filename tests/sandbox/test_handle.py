"""The handle's words for what banks and cardholders do; and being told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from stripe_sandbox.app import Sandbox
from stripe_sandbox.handle import Handle
from stripe_sandbox.settings import Settings

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]


def test_banks_and_cardholders_can_be_played(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    first, second = (str(charge(customer, method).latest_charge) for _ in range(2))
    lost = sandbox.dispute(first, reason="duplicate", amount=1200)
    assert (lost["charge"], lost["reason"], lost["amount"]) == (first, "duplicate", 1200)
    assert sandbox.close_dispute(lost["id"], "lost")["status"] == "lost"
    asked = sandbox.dispute(second, inquiry=True)
    assert asked["status"] == "warning_needs_response"
    assert sandbox.escalate_dispute(asked["id"])["status"] == "needs_response"
    assert client.v1.disputes.retrieve(asked["id"]).status == "needs_response"
    third = str(charge(customer, method).latest_charge)
    assert sandbox.early_fraud_warning(third)["charge"] == third
    sandbox.advance(4 * 86400)
    (payout,) = sandbox.close_payout(currency="usd")["payouts"]
    assert client.v1.payouts.retrieve(payout["id"]).amount == payout["amount"]
    assert sandbox.close_payout(fail=True) == {"payouts": []}  # nothing is left
    was = client.v1.payment_methods.retrieve(method).card.exp_year
    assert sandbox.update_card(method, "new_expiry")["card"]["exp_year"] > was
    with pytest.raises(ValueError, match="kind must be one of"):
        sandbox.update_card(method, "lost")


@pytest.mark.parametrize("steps", range(4))
def test_the_order_to_stop_is_heard_also_together_with_work(steps: int) -> None:
    """A request wakes the part that does what is due; told to stop in the same moment, it must not go on."""

    async def stopped() -> bool:
        sandbox = Sandbox(Settings())
        sandbox.store.schedule(4e9, "settle", "ch_none")
        living = asyncio.create_task(sandbox.live())
        await asyncio.sleep(0.05)
        sandbox.pipeline.wake.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        living.cancel()
        done, _ = await asyncio.wait([living], timeout=5)
        living.cancel()
        return bool(done)

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, stopped()).result()
