"""/_sandbox, what only a sandbox has: cards that will fail, faults, clock, deliveries, 3D Secure, reset."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from . import bank, events, issuer, later, webhooks
from .context import Context
from .errors import ApiError
from .messages import Request, Response, json_response
from .pipeline import Pipeline
from .resources import payment_intents, setup_intents, webhook_endpoints
from .settings import WEBHOOK_SECRET
from .storage import Document

FLAG_ENDPOINT = "we_sandboxflag"
# The year 9999: what is put off for months still gets a date then, and Python's dates end there.
_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


class Control:
    """The control API over a pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.store, self.clock = pipeline.store, pipeline.clock

    def answer(self, request: Request) -> Response:
        """The answer to a /_sandbox request; mistakes are told as {"error": ...} with status 400 or 404."""
        parts = request.path.strip("/").split("/")[1:]
        try:
            return json_response(self._answer(request, parts))
        except LookupError as error:
            return json_response({"error": str(error.args[0])}, 404)
        except (ValueError, TypeError) as error:
            return json_response({"error": str(error)}, 400)
        except ApiError as error:
            return json_response(error.body(""), error.status)

    def _answer(self, request: Request, parts: list[str]) -> Any:
        if parts[:1] == ["webhooks"]:
            return webhooks.switch(self.pipeline, request.method, parts[1:], request.json())
        match (request.method, parts):
            case ("GET", ["clock"]):
                return self.read_clock()
            case ("GET", ["faults"]):
                return self.pipeline.faults.all()
            case ("GET", ["deliveries"]):
                return webhooks.deliveries(self.pipeline, _one(request.form(), "event"))
            case ("GET", ["log"]):
                return list(self.pipeline.log)
            case ("GET", ["cards", method_id]):
                return issuer.read(self.context(), method_id)
        if request.method == "DELETE" and parts == ["faults"]:
            with self.store.transaction():
                self.pipeline.faults.clear()
            return []
        if request.method != "POST":
            raise LookupError(f"there is no {request.method} {request.path}")
        given = request.json()
        if not isinstance(given, dict):
            raise ValueError("the body must be a JSON object")
        return self._change(request, parts, given)

    def _change(self, request: Request, parts: list[str], given: dict[str, Any]) -> Any:
        with self.store.transaction():
            match parts:
                case ["clock"]:
                    made: Any = self.move_clock(given)
                case ["reset"]:
                    made = self.reset()
                case ["faults"]:
                    made = self.pipeline.faults.add(given)
                case ["cards", method_id]:
                    made = issuer.change(self.context(), method_id, given)
                case ["cards", method_id, "update"]:
                    made = issuer.update(self.context(), method_id, given)
                case ["disputes" | "early_fraud_warnings" | "payouts", *_]:
                    made = bank.switch(self.context(), parts, given)
                case ["events", event_id, "redeliver"]:
                    made = self.redeliver(event_id)
                case ["webhook"]:
                    made = self.set_webhook(given.get("url"), given.get("secret"))
                case ["3ds", intent_id]:
                    made = self.authenticate(request, intent_id, given)
                case _:
                    raise LookupError(f"there is no POST {request.path}")
        self.pipeline.wake.set()
        return made

    def read_clock(self) -> Document:
        """The time it is here, and whether anything that is due is not done yet."""
        due = self.store.next_due()
        return {
            "now": self.clock.now(),
            "offset": round(self.clock.offset),
            "due": due is not None and due <= self.clock.precise(),
        }

    def move_clock(self, given: dict[str, Any]) -> Document:
        """`advance` by seconds, or go to `now` (seconds since 1970, or a date and time with its offset).

        What is due by then has been done when this answers.
        """
        before = self.clock.offset
        self.clock.set_to(_target(given, self.clock.precise()))
        try:
            self.store.write_note("clock", "offset", {"seconds": self.clock.offset})
            later.do_due(self.store, self.clock, self.pipeline.settings)
        except BaseException:
            self.clock.offset = before
            raise
        return self.read_clock()

    def reset(self) -> Document:
        """Forget everything but the endpoint given when the sandbox started."""
        endpoint = self.store.get("webhook_endpoint", FLAG_ENDPOINT)
        secret = self.store.note("signing", FLAG_ENDPOINT).get("secret")
        self.store.clear()
        self.pipeline.faults.clear()
        self.pipeline.log.clear()
        self.clock.offset = 0.0
        if endpoint:
            self.set_webhook(endpoint["url"], secret)
        return {"reset": True}

    def redeliver(self, event_id: str) -> Document:
        """Deliver an event once more to every endpoint that listens to it."""
        event = self.store.get("event", event_id)
        if event is None:
            raise LookupError(f"there is no event {event_id}")
        context = self.context()
        endpoints = events.listeners(context, event["type"])
        for endpoint in endpoints:
            events.queue(context, event_id, endpoint["id"])
        return {"event": event_id, "endpoints": [endpoint["id"] for endpoint in endpoints]}

    def set_webhook(self, url: str | None, secret: str | None) -> Document:
        """The endpoint that the flags --webhook-url and --webhook-secret describe; no url removes it."""
        self.store.forget(FLAG_ENDPOINT)
        if not url:
            return {"url": None}
        secret = secret or WEBHOOK_SECRET
        webhook_endpoints.make(self.context(), FLAG_ENDPOINT, url, ["*"], secret)
        return {"id": FLAG_ENDPOINT, "url": url}

    def authenticate(self, request: Request, intent_id: str, given: dict[str, Any]) -> Document:
        """The cardholder's answer in 3D Secure: `outcome` is "complete" or "fail"."""
        kind = "payment_intent" if intent_id.startswith("pi_") else "setup_intent"
        intent = self.store.get(kind, intent_id)
        if intent is None or given.get("client_secret") != intent["client_secret"]:
            raise LookupError("there is no such authentication")
        if given.get("outcome") not in ("complete", "fail"):
            raise ValueError('outcome must be "complete" or "fail"')
        if intent["status"] != "requires_action":
            raise ValueError(
                f"this {kind} is not waiting for authentication; its status is {intent['status']}"
            )
        return_url = self.store.note("challenge", intent_id).get("return_url")
        context = self.context(origin=request.origin)
        resource = payment_intents if kind == "payment_intent" else setup_intents
        after = resource.after_challenge(context, intent, passed=given["outcome"] == "complete")
        return {"id": intent_id, "status": after["status"], "return_url": return_url}

    def context(self, origin: str = "") -> Context:
        """What a resource works with when no request of the API asked for it."""
        return Context(store=self.store, clock=self.clock, settings=self.pipeline.settings, origin=origin)


def _target(given: dict[str, Any], now: float) -> float:
    """The moment the clock is to be put to; ValueError when that is none, or one no date can be made of."""
    try:
        if "advance" in given:
            target = now + float(given["advance"])
        elif isinstance(given.get("now"), str):
            moment = datetime.fromisoformat(given["now"])
            if moment.tzinfo is None:
                raise ValueError(f"now must carry its offset from UTC: {given['now']}")
            target = moment.timestamp()
        elif "now" in given:
            target = float(given["now"])
        else:
            raise ValueError('say {"advance": seconds} or {"now": moment}')
    except OverflowError:
        target = math.inf
    if not 0 <= target < _LAST:
        raise ValueError("the clock goes from the year 1970 to 9998")
    return target


def _one(form: dict[str, Any], name: str) -> str | None:
    value = form.get(name)
    return value if isinstance(value, str) else None
