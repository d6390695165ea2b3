"""The sandbox as a program of its own, killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from stripe_sandbox.handle import Handle

from .conftest import client_for
from .receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def program(*arguments: str, stop_with: int = signal.SIGTERM) -> Iterator[Handle]:
    """`python -m stripe_sandbox` on a free port, stopped by a signal."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "stripe_sandbox", "--port", str(port), *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        handle = Handle(f"http://127.0.0.1:{port}")
        handle.wait_until_ready(lambda: process.poll() is None, timeout=30)
        yield handle
    finally:
        process.send_signal(stop_with)
        process.wait(20)


@pytest.mark.parametrize("stop_with", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_answered_survives_a_stop(tmp_path: Path, stop_with: int) -> None:
    state = str(tmp_path / "state.sqlite3")
    with program("--state", state, stop_with=stop_with) as first:
        client = client_for(first)
        customer = client.v1.customers.create({"name": "Acme"}, {"idempotency_key": "make-acme"})
        method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
        first.decline_next(method.id)
        first.advance(3600)
        first.fault("503", path="/v1/refunds")
    with program("--state", state) as second:
        client = client_for(second)
        assert (
            client.v1.customers.create({"name": "Acme"}, {"idempotency_key": "make-acme"}).id == customer.id
        )
        assert client.v1.payment_methods.list({"customer": customer.id}).data[0].id == method.id
        assert (
            second.control("GET", f"/cards/{method.id}")["outcomes"][0]["decline_code"]
            == "insufficient_funds"
        )
        assert second.control("GET", "/clock")["offset"] == 3600
        assert [fault["action"] for fault in second.control("GET", "/faults")] == ["503"]


def test_without_a_file_nothing_is_kept() -> None:
    with program() as first:
        client_for(first).v1.customers.create({})
    with program() as second:
        assert client_for(second).v1.customers.list().data == []


def test_a_file_another_sandbox_has_is_refused(tmp_path: Path) -> None:
    state = str(tmp_path / "state.sqlite3")
    with program("--state", state) as first:
        made = client_for(first).v1.customers.create({})
        done = subprocess.run(
            [sys.executable, "-m", "stripe_sandbox", "--port", "0", "--state", state],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert done.stderr == f"--state {state}: database is locked. Is another sandbox using this file?\n"
        assert client_for(first).v1.customers.retrieve(made.id).id == made.id


@pytest.mark.parametrize(
    ("flag", "value", "code", "words"),
    [
        ("--webhook-retries", "soon", 2, "--webhook-retries must be numbers"),
        ("--webhook-url", "nowhere", 1, "--webhook-url nowhere: Invalid URL: nowhere."),
    ],
)
def test_wrong_flags_are_explained(flag: str, value: str, code: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stripe_sandbox", "--port", "0", flag, value],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (code, True, False)


def test_deliveries_begun_before_a_kill_are_finished_after_it(tmp_path: Path) -> None:
    state = str(tmp_path / "state.sqlite3")
    with Receiver() as receiver:
        receiver.answers = [500]
        flags = ("--state", state, "--webhook-url", receiver.url, "--webhook-retries", "3600,3600")
        with program(*flags, stop_with=signal.SIGKILL) as first:
            client_for(first).v1.customers.create({})
            first.wait_for_attempts(1)
        with program(*flags) as second:
            second.advance(3601)
            found = second.wait_for_deliveries()
        assert [attempt["status"] for attempt in found[0]["attempts"]] == [500, 200]
        for signature, body in receiver.received:
            stripe.Webhook.construct_event(body, signature, second.webhook_secret)


def test_chaos_and_what_it_put_off_survive_a_kill(tmp_path: Path) -> None:
    flags = ("--state", str(tmp_path / "state.sqlite3"), "--sign-by-sandbox-clock")
    with Receiver() as receiver:
        with program(*flags, "--webhook-url", receiver.url, stop_with=signal.SIGKILL) as first:
            client = client_for(first)
            first.chaos("customer.created", delay=3600, wrong_signature=1)
            first.chaos("payment_intent.created", drop="1/2")
            for _ in range(2):
                client.v1.customers.create({})
            client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
            for action in ("503", "500_after", "html"):
                first.fault(action, path="/v1/refunds")
            rules = first.control("GET", "/webhooks/chaos")
            faults = first.control("GET", "/faults")
            waiting = first.deliveries()
            assert receiver.received == []
        with program(*flags, "--webhook-url", receiver.url, "--webhook-retries", "1") as second:
            client = client_for(second)
            assert second.control("GET", "/webhooks/chaos") == rules
            assert [rule["seen"] for rule in rules] == [2, 1]
            assert second.control("GET", "/faults") == faults
            assert second.deliveries() == waiting
            # The count goes on where it was: the first of two was dropped, the second is told.
            told = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
            second.wait_for_due_deliveries()
            assert [json.loads(body)["data"]["object"]["id"] for _, body in receiver.received] == [told.id]
            second.advance(3601)
            second.wait_for_deliveries()
        assert [json.loads(body)["type"] for _, body in receiver.received[1:]].count("customer.created") == 2
        signature, body = receiver.received[0]
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(receiver.received[1][1], receiver.received[1][0], "whsec_sandbox")
        # Signed by the sandbox's clock, which was moved in between.
        moment = int(receiver.received[1][0].split(",")[0][2:])
        assert moment - int(signature.split(",")[0][2:]) >= 3600
        assert stripe.Webhook.construct_event(body, signature, "whsec_sandbox")


def test_what_is_in_progress_goes_on_after_a_kill(tmp_path: Path) -> None:
    """A cardholder at the bank's page, a payment its bank thinks about, a secret that was changed."""
    state = str(tmp_path / "state.sqlite3")
    with Receiver() as receiver:
        flags = ("--state", state, "--sign-by-sandbox-clock")
        with program(*flags, stop_with=signal.SIGKILL) as first:
            client = client_for(first)
            first.set_webhook(receiver.url, "whsec_old")
            first.roll_secret("whsec_new", keep=3600)
            customer = client.v1.customers.create({}).id
            card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
            first.card(card, outcomes=[{"outcome": "processing", "seconds": 600}])
            slow = client.v1.payment_intents.create(paying(customer, card))
            strict = client.v1.payment_methods.attach(
                "pm_card_authenticationRequired", {"customer": customer}
            ).id
            asked = client.v1.payment_intents.create(paying(customer, strict))
            assert (slow.status, asked.status) == ("processing", "requires_action")
            first.wait_for_deliveries()
            receiver.received.clear()
        with program(*flags) as second:
            client = client_for(second)
            assert second.authenticate(asked.id, str(asked.client_secret))["status"] == "succeeded"
            second.wait_for_due_deliveries()
            second.advance(601)
            assert client.v1.payment_intents.retrieve(slow.id).status == "succeeded"
            second.wait_for_due_deliveries()
            both = len(receiver.received)
            second.advance(3600)
            second.wait_for_due_deliveries()  # the payment that was slow has settled meanwhile
            client.v1.customers.create({})
            second.wait_for_due_deliveries()
    told = [(json.loads(body)["type"], signature) for signature, body in receiver.received]
    assert [name for name, _ in told].count("payment_intent.succeeded") == 2
    assert {signature.count("v1=") for _, signature in told[:both]} == {2}
    assert (told[-1][0], told[-1][1].count("v1=")) == ("customer.created", 1)
    signature, body = receiver.received[-1]
    assert stripe.WebhookSignature.verify_header(body.decode(), signature, "whsec_new", None)


def paying(customer: str, card: str) -> Any:
    """A payment confirmed at once, its cardholder present."""
    return {
        "amount": 5000,
        "currency": "usd",
        "customer": customer,
        "payment_method": card,
        "confirm": True,
        "allowed_payment_method_types": ["card"],
    }
