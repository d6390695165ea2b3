"""Whatever any test sends to Stripe, and whatever answers, is held against the official SDK's own types.

Two hooks see all of it: the SDK's HTTP client in this process (also against Stripe itself), and every sandbox
that runs in this process, whoever asks it: the product in another process, or a browser. What the sandbox
refuses as a bad request is not judged; what it takes and the SDK does not know fails the test that did it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe
from stripe._object_classes import get_object_class

from stripe_sandbox import forms, pipeline, storage
from stripe_sandbox.messages import Request, Response
from tests.sandbox.sdk_endpoints import Call, find
from tests.sandbox.sdk_types import request_errors, response_errors

_found: list[str] = []
# Not held to the parameters: refused before they mattered.
_REFUSED = (400, 401, 403, 404)
# What only Stripe.js sends, with a publishable key.
_BROWSER = ("key", "client_secret", "payment_method_data")


def exchange_errors(
    method: str, path: str, given: dict[str, Any], status: int, body: bytes, *, browser: bool = False
) -> list[str]:
    """What is wrong with one request (`given` decoded from its form) and its answer."""
    call = find(method, path)
    if call is None:
        return [] if status in _REFUSED else [f"{method} {path}: the SDK has no such call"]
    errors: list[str] = []
    if status not in _REFUSED:
        sent = {name: value for name, value in given.items() if not (browser and name in _BROWSER)}
        errors += request_errors(sent, call.params) if call.params else [f"{name}: unknown" for name in sent]
    with contextlib.suppress(ValueError):  # a fault: half a body, or a page of HTML
        errors += _answer_errors(json.loads(body), call)
    # A browser is shown less of an intent than a server.
    return [f"{method} {path}: {each}" for each in errors if not (browser and each.endswith(": missing"))]


def _answer_errors(answer: dict[str, Any], call: Call) -> list[str]:
    if "error" in answer:
        return response_errors(answer["error"], stripe.ErrorObject)
    if answer.get("deleted"):
        return [f"deleted: {name}" for name in answer.keys() - {"id", "object", "deleted"}]
    return object_errors(answer, call.answer, listed=call.listed)


def object_errors(answer: dict[str, Any], cls: Any, *, listed: bool = False) -> list[str]:
    """What is wrong with an object, a list of them, or an event with the object inside."""
    if listed:
        shape = {"object", "data", "has_more", "url"}
        wrong = [] if answer.keys() == shape else [f"a list has {sorted(shape)}, not {sorted(answer)}"]
        return wrong + [error for item in answer.get("data", []) for error in object_errors(item, cls)]
    errors = response_errors(answer, cls)
    if answer.get("object") == "event":
        inside = answer["data"]["object"]
        errors += response_errors(inside, get_object_class("V1", inside["object"]), answer["type"])
    return errors


def event_errors(event: dict[str, Any], text: str) -> list[str]:
    """What is wrong with an event and with `text`, its JSON as it is kept and delivered."""
    written = json.loads(text)
    differing = [] if written == event else [f"{event['type']}: kept as something else: {text}"]
    return differing + object_errors(written, stripe.Event)


@pytest.fixture(scope="session", autouse=True)
def _wire() -> Iterator[None]:
    """The hooks, for the whole run."""
    with pytest.MonkeyPatch.context() as patch:
        _watch_the_sdk(patch)
        _watch_sandboxes(patch)
        yield


@pytest.fixture(autouse=True)
def _nothing_unknown_on_the_wire(_wire: None) -> Iterator[None]:
    """Fails the test during which something went over the wire that the SDK does not know."""
    yield
    found, _found[:] = list(dict.fromkeys(_found)), []
    assert found == [], found


def _watch_the_sdk(patch: pytest.MonkeyPatch) -> None:
    plain = stripe.RequestsClient.request

    def request(self: Any, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        body, status, answered = plain(self, method, url, headers, post_data)
        parts = urlsplit(url)
        text = "&".join(part for part in (parts.query, post_data) if part)
        _found.extend(exchange_errors(method.upper(), parts.path, forms.decode(text), status, body))
        return body, status, answered

    patch.setattr(stripe.RequestsClient, "request", request)


def _watch_sandboxes(patch: pytest.MonkeyPatch) -> None:
    plain, keep = pipeline.Pipeline.answer, storage.Store.insert

    async def answer(self: pipeline.Pipeline, request: Request) -> Response:
        response = await plain(self, request)
        if response.status not in _REFUSED:
            given = request.form()
            found = exchange_errors(
                request.method, request.path, given, response.status, response.body, browser="key" in given
            )
            _found.extend(found)
        return response

    def insert(self: storage.Store, obj: dict[str, Any], *rest: Any, **more: Any) -> str:
        text = keep(self, obj, *rest, **more)
        if obj["object"] == "event":
            _found.extend(event_errors(obj, text))
        return text

    patch.setattr(pipeline.Pipeline, "answer", answer)
    patch.setattr(storage.Store, "insert", insert)
