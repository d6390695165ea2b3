"""A walk over all there is: every endpoint answers, and reads every parameter it takes.

A parameter that is taken and not read would be ignored, which the sandbox promises not to do. The hooks of
`tests.wire` hold each request and each answer of the walk against the SDK.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from stripe_sandbox.app import Sandbox
from stripe_sandbox.context import Context
from stripe_sandbox.endpoint import Endpoint
from stripe_sandbox.messages import Request
from stripe_sandbox.pipeline import _MODULES, Pipeline
from stripe_sandbox.resources.disputing import EVIDENCE
from stripe_sandbox.schema import Hash, Text
from stripe_sandbox.settings import API_VERSION, Settings

from .watching import Path, Watched, asked_of

ENDPOINTS: list[Endpoint] = [endpoint for module in _MODULES for endpoint in module.ENDPOINTS]
DAY = 86400
ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), "x")
SHIP_TO = {"address": ADDRESS, "name": "Acme", "phone": "1"}
SHIPPING = {**SHIP_TO, "carrier": "Post", "tracking_number": "1"}
BILLING = {"address": ADDRESS, "email": "a@acme.example", "name": "Acme", "phone": "1", "tax_id": "1"}
META = {"metadata": {"a": "1"}}
CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2044, "cvc": "123"}
METHOD = {"type": "card", "billing_details": BILLING, "allow_redisplay": "limited", **META}
NO_REDIRECTS = {"enabled": "true", "allow_redirects": "never"}
TYPES = {"allowed_payment_method_types": ["card"]}
ONLINE = {"ip_address": "127.0.0.1", "user_agent": "x"}
CONSENT = [
    {"customer_acceptance": {"type": "online", "accepted_at": 1, "online": ONLINE}},
    {"customer_acceptance": {"type": "offline", "accepted_at": 1}},
]


class Walker:
    """Asks the sandbox without a network."""

    _numbers = itertools.count()

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def __call__(
        self, method: str, path: str, /, *, browser: bool = False, answers: int = 200, **params: Any
    ) -> Any:
        text = urlencode(list(_flat(params)))
        query, body = ("", text.encode()) if method == "POST" else (text, b"")
        headers = {"authorization": f"Bearer {'pk' if browser else 'sk'}_test_x"}
        request = Request(method, f"/v1/{path}", query, headers, body, "http://here")
        response = await self.sandbox.answer(request)
        answer = json.loads(response.body)
        assert response.status == answers, (method, path, params, answer)
        return answer

    async def lists(self, path: str, **params: Any) -> None:
        """A list with everything that can be asked of it, one filter at a time and all together."""
        known = (await self("GET", path, limit=1, **params))["data"][0]["id"]
        timed = {} if "payment_methods" in path or "webhook" in path else {"created": _since(0)}
        await self("GET", path, starting_after=known, **params, **timed)
        await self("GET", path, ending_before=known, **params, **timed)

    def bank(self, path: str, **given: Any) -> None:
        """What only banks do."""
        request = Request("POST", f"/_sandbox/{path}", "", {}, json.dumps(given).encode(), "http://here")
        assert self.sandbox.control.answer(request).status == 200

    def later(self, seconds: float) -> None:
        """Move the clock, and let happen what is due."""
        self.bank("clock", advance=seconds)


def _since(moment: int) -> dict[str, int]:
    return {"gt": moment, "gte": moment, "lt": 10**10, "lte": 10**10}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _flat(item, f"{name}[{at}]")
    else:
        yield name, value


async def customers(call: Walker) -> tuple[str, str]:
    """Customers and their cards; one of each that is still there."""
    everything = {
        "address": ADDRESS,
        "balance": 0,
        "business_name": "Acme",
        "description": "x",
        "email": "a@acme.example",
        "individual_name": "Ann",
        "invoice_prefix": "ACME",
        "name": "Acme",
        "next_invoice_sequence": 2,
        "phone": "1",
        "preferred_locales": ["en"],
        "shipping": SHIP_TO,
        "tax_exempt": "none",
        **META,
    }
    settings = {"default_payment_method": "pm_card_visa", "footer": "x"}
    made = await call(
        "POST", "customers", payment_method="pm_card_visa", invoice_settings=settings, **everything
    )
    assert made["invoice_settings"]["footer"] == "x"
    customer, method = made["id"], made["invoice_settings"]["default_payment_method"]
    settings = {"default_payment_method": method, "footer": "y"}
    await call("POST", f"customers/{customer}", invoice_settings=settings, **everything)
    await call("GET", f"customers/{customer}")
    await call.lists("customers", email="a@acme.example")
    await call.lists(f"customers/{customer}/payment_methods", type="card", allow_redisplay="unspecified")
    await call("GET", f"customers/{customer}/payment_methods/{method}")
    await call("DELETE", f"customers/{(await call('POST', 'customers'))['id']}")
    return customer, method


async def cards(call: Walker, customer: str) -> None:
    """Payment methods."""
    made = await call("POST", "payment_methods", card=CARD, **METHOD)
    await call("POST", "payment_methods", type="card", card={"token": "tok_visa"})
    await call("POST", f"payment_methods/{made['id']}/attach", customer=customer)
    await call("GET", f"payment_methods/{made['id']}")
    change = {"card": {"exp_month": 11, "exp_year": 2045}, "billing_details": BILLING, **META}
    await call("POST", f"payment_methods/{made['id']}", allow_redisplay="always", **change)
    await call.lists("payment_methods", customer=customer, type="card", allow_redisplay="always")
    await call("POST", f"payment_methods/{made['id']}/detach")


async def setups(call: Walker, customer: str, method: str) -> None:
    """SetupIntents, confirmed at once, later, and by a browser."""
    about = {"customer": customer, "payment_method": method, "description": "x", **META}
    back = {"return_url": "https://shop.example/"}
    now = {"confirm": "true", "usage": "off_session", "mandate_data": CONSENT[0], **back}
    made = await call(
        "POST", "setup_intents", use_stripe_sdk="true", automatic_payment_methods=NO_REDIRECTS, **about, **now
    )
    await call("GET", f"mandates/{made['mandate']}")
    await call.lists("setup_attempts", setup_intent=made["id"])
    await call.lists("setup_intents", customer=customer, payment_method=method)
    for consent in CONSENT:
        made = await call("POST", "setup_intents", **TYPES, **{**now, **about, "mandate_data": consent})
        path = f"setup_intents/{(await call('POST', 'setup_intents', **TYPES))['id']}"
        await call("POST", path, **about, **TYPES)
        confirm = {"mandate_data": consent, "payment_method": method, "use_stripe_sdk": "true", **back}
        await call("POST", f"{path}/confirm", **confirm, **TYPES)
    await with_authentication(call, "setup_intents")
    await by_browser(call, "setup_intents")
    path = f"setup_intents/{(await call('POST', 'setup_intents'))['id']}"
    await call("POST", f"{path}/cancel", cancellation_reason="abandoned")


async def with_authentication(call: Walker, kind: str, **params: Any) -> None:
    """An intent whose cardholder is sent to a page of the bank, and one whose is not."""
    card = {"payment_method": "pm_card_authenticationRequired", "return_url": "https://shop.example/"}
    modal = {**card, "use_stripe_sdk": "true"}
    for given, action in ((card, "redirect_to_url"), (modal, "use_stripe_sdk")):
        made = await call("POST", kind, confirm="true", **given, **params)
        later = (await call("POST", kind, **params))["id"]
        confirmed = await call("POST", f"{kind}/{later}/confirm", **given)
        assert [each["next_action"]["type"] for each in (made, confirmed)] == [action, action]


async def by_browser(call: Walker, kind: str, **params: Any) -> None:
    """An intent confirmed with the details of a card."""
    made = await call("POST", kind, **TYPES, **params)
    secret = {"client_secret": made["client_secret"], "key": "pk_test_x"}
    await call("GET", f"{kind}/{made['id']}", browser=True, **secret)
    for card in (CARD, {"token": "tok_visa"}):
        made = await call("POST", kind, **TYPES, **params)
        secret = {"client_secret": made["client_secret"], "key": "pk_test_x"}
        data = {"payment_method_data": {**METHOD, "card": card}}
        await call("POST", f"{kind}/{made['id']}/confirm", browser=True, **data, **secret)


async def payments(call: Walker, customer: str, method: str) -> Any:
    """PaymentIntents and charges; a payment that succeeded."""
    money = {"amount": 5000, "currency": "usd"}
    about = {"customer": customer, "payment_method": method, "description": "x", "shipping": SHIPPING, **META}
    more = {
        "capture_method": "automatic",
        "receipt_email": "a@acme.example",
        "setup_future_usage": "off_session",
    }
    words = {"statement_descriptor_suffix": "CALLS"}
    back = {"return_url": "https://shop.example/"}
    now = {"confirm": "true", "use_stripe_sdk": "true", "off_session": "true", **back}
    for consent in CONSENT:
        kinds = {"automatic_payment_methods": NO_REDIRECTS, "confirmation_method": "automatic"}
        given = {**money, **about, **more, **words, **now, **kinds, "mandate_data": consent}
        await call("POST", "payment_intents", **given)
        made = await call("POST", "payment_intents", amount=900, currency="eur", **TYPES)
        path = f"payment_intents/{made['id']}"
        await call("POST", path, **money, **about, **more, **words, **TYPES)
        confirm = {
            "payment_method": method,
            "mandate_data": consent,
            "shipping": SHIPPING,
            "off_session": "true",
        }
        await call("POST", f"{path}/confirm", **confirm, **more, **TYPES, **back, use_stripe_sdk="true")
    strict = {"payment_method": "pm_card_authenticationRequired", "error_on_requires_action": "true"}
    await call("POST", "payment_intents", answers=402, confirm="true", **money, **TYPES, **strict)
    made = await call("POST", "payment_intents", **money, customer=customer, **TYPES)
    await call("POST", f"payment_intents/{made['id']}/confirm", answers=402, **strict)
    made = await call("POST", f"payment_intents/{made['id']}/confirm", payment_method=method)
    await with_authentication(call, "payment_intents", **money)
    await by_browser(call, "payment_intents", **money)
    await call.lists("payment_intents", customer=customer)
    other = await call("POST", "payment_intents", **money)
    await call("POST", f"payment_intents/{other['id']}/cancel", cancellation_reason="abandoned")
    charge = f"charges/{made['latest_charge']}"
    await call("POST", charge, description="y", receipt_email="b@acme.example", shipping=SHIPPING, **META)
    await call("GET", charge)
    await call.lists("charges", customer=customer, payment_intent=made["id"])
    return made


async def refunds(call: Walker, paid: Any) -> None:
    """Refunds."""
    part = {"amount": 100, "reason": "duplicate", **META}
    made = await call("POST", "refunds", payment_intent=paid["id"], **part)
    await call("POST", "refunds", charge=paid["latest_charge"], **part)
    await call("POST", f"refunds/{made['id']}", **META)
    await call("GET", f"refunds/{made['id']}")
    await call.lists("refunds", charge=paid["latest_charge"], payment_intent=paid["id"])


async def banks(call: Walker, customer: str) -> None:
    """Disputes, warnings, the books, payouts."""
    found: dict[str, Any] = {}
    for token in ("createDispute", "createDisputeProductNotReceived"):
        card = (await call("POST", f"payment_methods/pm_card_{token}/attach", customer=customer))["id"]
        pay = {"amount": 5000, "currency": "usd", "customer": customer, "payment_method": card}
        found = await call("POST", "payment_intents", confirm="true", **pay, **TYPES)
        call.later(10)
    about = {"charge": found["latest_charge"], "payment_intent": found["id"]}
    call.sandbox.control._change(
        Request("POST", "/", "", {}, b"", ""), ["early_fraud_warnings"], {"charge": about["charge"]}
    )
    for kind in ("disputes", "radar/early_fraud_warnings"):
        await call.lists(kind, **about)
        (one,) = (await call("GET", kind, **about))["data"]
        await call("GET", f"{kind}/{one['id']}")
    first, second = [one["id"] for one in (await call("GET", "disputes"))["data"]]
    evidence = {"evidence": dict.fromkeys(EVIDENCE, "x"), "submit": "true", **META}
    await call("POST", f"disputes/{first}", intended_submission_method="manual", **evidence)
    await call("POST", f"disputes/{second}/close")
    await call(
        "POST",
        "payment_intents",
        confirm="true",
        payment_method="pm_card_visa",
        amount=900000,
        currency="usd",
        **TYPES,
    )
    call.later(4 * DAY)
    call.bank("payouts/close")
    call.later(2 * DAY)
    await call("GET", "balance")
    (payout,) = (await call("GET", "payouts"))["data"]
    await call("GET", f"payouts/{payout['id']}")
    for arrival in (payout["arrival_date"], _since(payout["arrival_date"] - 1)):
        asked = {"status": "paid", "destination": payout["destination"], "arrival_date": arrival}
        await call.lists("payouts", **asked)
    line = payout["balance_transaction"]
    await call("GET", f"balance_transactions/{line}")
    asked = {"payout": payout["id"], "source": payout["id"], "type": "payout", "currency": "usd"}
    await call.lists("balance_transactions", **asked)


async def hooks(call: Walker) -> None:
    """Webhook endpoints, events, the account."""
    given = {"description": "x", "url": "http://127.0.0.1:9/", "enabled_events": ["charge.failed"], **META}
    made = await call("POST", "webhook_endpoints", api_version=API_VERSION, **given)
    await call("GET", f"webhook_endpoints/{made['id']}")
    await call("POST", f"webhook_endpoints/{made['id']}", disabled="true", **given)
    await call.lists("webhook_endpoints")
    await call("DELETE", f"webhook_endpoints/{made['id']}")
    await call.lists("events", type="customer.*", delivery_success="true")
    await call.lists("events", types=["customer.created"])
    event = (await call("GET", "events"))["data"][0]
    await call("GET", f"events/{event['id']}")
    await call("GET", "account")


async def walk(sandbox: Sandbox) -> None:
    """All of it."""
    call = Walker(sandbox)
    customer, method = await customers(call)
    await cards(call, customer)
    await setups(call, customer, method)
    paid = await payments(call, customer, method)
    await refunds(call, paid)
    await banks(call, customer)
    await hooks(call)


def test_the_guard_bites() -> None:
    read: set[Path] = set()
    watched = Watched({"a": {"b": "1", "c": {"d": "2"}}, "e": {"f": "3", "g": "4"}, "h": "5"}, read)
    assert ("h" in watched, watched.keys() > {"a"}, read) == (True, True, set())
    assert {**watched["a"]} == {"b": "1", "c": {"d": "2"}}
    assert json.dumps(watched["e"]) == '{"f": "3", "g": "4"}'
    assert read == {("a",), ("a", "b"), ("a", "c"), ("e",), ("e", "f"), ("e", "g")}
    assert set(asked_of({"a": Hash({"b": Text(), "c": Hash({"d": Text()})}), "key": Text()})) == {
        ("a",),
        ("a", "b"),
        ("a", "c"),
        ("a", "c", "d"),
    }


# A card's refund is never one that may be canceled.
_NEVER = {("POST", "/v1/refunds/{id}/cancel")}


def test_every_endpoint_answers_and_reads_every_parameter_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[tuple[str, str], set[Path]] = {}
    plain = Pipeline._run

    def run(self: Pipeline, endpoint: Endpoint, context: Context) -> tuple[int, str]:
        read = seen.setdefault((endpoint.method, endpoint.path), set())
        context.params = Watched(context.params, read)
        return plain(self, endpoint, context)

    monkeypatch.setattr(Pipeline, "_run", run)
    with ThreadPoolExecutor(1) as thread:  # the tests' own may hold Playwright's event loop
        thread.submit(asyncio.run, walk(Sandbox(Settings()))).result()
    assert {(each.method, each.path) for each in ENDPOINTS} - seen.keys() == _NEVER
    ignored = [
        f"{each.method} {each.path}: {'.'.join(name)}"
        for each in ENDPOINTS
        for name in asked_of(each.params.fields)
        if name not in seen.get((each.method, each.path), set())
    ]
    assert ignored == []
