"""/v1/setup_intents: saving a card for later, with 3D Secure where the card asks for it."""

from __future__ import annotations

from typing import Any

from .. import outcomes
from ..cards import Refusal
from ..context import Context
from ..endpoint import Endpoint
from ..errors import invalid
from ..ids import client_secret, new_id
from ..lists import CREATED, PAGING, equals, page
from ..schema import Choice, Params, Rule, Text, merge_metadata
from ..storage import Document
from . import mandates, payment_methods
from .intents import (
    ON_CONFIRM,
    ON_CREATE,
    ON_RETRIEVE,
    SHARED,
    ask_for_authentication,
    check_mandate,
    check_owner,
    check_return_url,
    emit_failed,
    error_fields,
    given_method,
    kinds_of_payment,
    shown,
    unexpected_state,
)

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_AUTHENTICATION_FAILED = Refusal(
    "setup_intent_authentication_failure",
    message="We are unable to authenticate your payment method. Please choose a different payment "
    "method and try "
    "again.",
)


def create(ctx: Context) -> Document:
    """A new SetupIntent, confirmed at once with `confirm`."""
    params = ctx.params
    if params.get("customer"):
        ctx.load("customer", params["customer"], param="customer")
    check_mandate(ctx)
    kinds = kinds_of_payment(ctx)
    method = given_method(ctx)
    if method:
        check_owner(ctx, method, params.get("customer"))
    intent_id = new_id("setup_intent")
    intent: Document = {
        "id": intent_id,
        "object": "setup_intent",
        "application": None,
        "cancellation_reason": None,
        "client_secret": client_secret(intent_id),
        "created": ctx.now,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": merge_metadata({}, params.get("metadata") or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "single_use_mandate": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "usage": params.get("usage", "off_session"),
        **kinds,
    }
    ctx.insert(intent, "setup_intent.created")
    return _confirm(ctx, intent) if params.get("confirm") else intent


def retrieve(ctx: Context) -> Document:
    """The SetupIntent."""
    return shown(ctx, ctx.load_intent("setup_intent"))


def update(ctx: Context) -> Document:
    """Change an intent that is not finished."""
    intent = ctx.load("setup_intent", ctx.path[0])
    if intent["status"] not in _OPEN:
        raise unexpected_state(
            intent, f"You cannot update this SetupIntent because it has a status of {intent['status']}."
        )
    if ctx.params.get("customer"):
        ctx.load("customer", ctx.params["customer"], param="customer")
        if intent["customer"] not in (None, ctx.params["customer"]):
            raise invalid("You cannot change the customer of this SetupIntent.", param="customer")
        intent["customer"] = ctx.params["customer"]
    method = given_method(ctx)
    if method:
        check_owner(ctx, method, intent["customer"])
        intent.update(payment_method=method["id"], status="requires_confirmation", next_action=None)
    elif "payment_method" in ctx.params:
        intent.update(payment_method=None, status="requires_payment_method", next_action=None)
    if ctx.params.get("allowed_payment_method_types"):
        intent.update(kinds_of_payment(ctx))
    if "description" in ctx.params:
        intent["description"] = ctx.params["description"]
    if "metadata" in ctx.params:
        intent["metadata"] = merge_metadata(intent["metadata"], ctx.params["metadata"])
    return ctx.replace(intent)


def confirm(ctx: Context) -> Document:
    """Save the card, or ask for authentication, or refuse it."""
    return shown(ctx, _confirm(ctx, ctx.load_intent("setup_intent")))


def cancel(ctx: Context) -> Document:
    """Give it up."""
    intent = ctx.load("setup_intent", ctx.path[0])
    if intent["status"] not in _OPEN:
        raise unexpected_state(
            intent,
            f"You cannot cancel this SetupIntent because it has a status of "
            f"{intent['status']}. Only a SetupIntent with one of the following statuses "
            f"may be canceled: {', '.join(_OPEN)}.",
        )
    intent.update(
        status="canceled", cancellation_reason=ctx.params.get("cancellation_reason"), next_action=None
    )
    ctx.store.drop_note("challenge", intent["id"])
    return ctx.replace(intent, "setup_intent.canceled")


def list_all(ctx: Context) -> Document:
    """SetupIntents of a customer or with a card."""
    where = equals(ctx.params, "customer")
    if ctx.params.get("payment_method"):
        where.append(("label = ?", ctx.params["payment_method"]))
    return page(ctx, "setup_intent", "/v1/setup_intents", where)


def list_attempts(ctx: Context) -> Document:
    """/v1/setup_attempts of one intent."""
    return page(ctx, "setup_attempt", "/v1/setup_attempts", [("label = ?", ctx.params["setup_intent"])])


def after_challenge(ctx: Context, intent: Document, *, passed: bool) -> Document:
    """The cardholder completed or failed the authentication."""
    method = ctx.load("payment_method", intent["payment_method"])
    if passed:
        return _succeed(ctx, intent, method, authenticated=True)
    error = _fail(ctx, intent, method, _AUTHENTICATION_FAILED)
    return error.error["setup_intent"]  # type: ignore[no-any-return]


def _confirm(ctx: Context, intent: Document) -> Document:
    if intent["status"] not in _OPEN:
        raise unexpected_state(
            intent,
            f"You cannot confirm this SetupIntent because it has already {intent['status']}."
            if intent["status"] == "succeeded"
            else f"You cannot confirm this SetupIntent because it has a status of {intent['status']}.",
        )
    if ctx.params.get("allowed_payment_method_types"):
        intent.update(kinds_of_payment(ctx))
    check_return_url(ctx, intent)
    method = given_method(ctx)
    if method is None and intent["payment_method"]:
        method = ctx.load("payment_method", intent["payment_method"])
    if method is None:
        raise unexpected_state(
            intent,
            "You cannot confirm this SetupIntent because it's missing a payment method. "
            "Update the SetupIntent with a payment method and then confirm it again.",
        )
    check_owner(ctx, method, intent["customer"])
    mandates.remember(ctx, intent)
    intent["next_action"] = None
    verdict = outcomes.when_saved(ctx, method)
    if isinstance(verdict, Refusal):
        raise _fail(ctx, intent, method, verdict)
    if verdict == outcomes.CHALLENGE:
        return ask_for_authentication(ctx, intent, method, off_session=False)
    return _succeed(ctx, intent, method, authenticated=False)


def _succeed(ctx: Context, intent: Document, method: Document, *, authenticated: bool) -> Document:
    ctx.store.drop_note("challenge", intent["id"])
    intent.update(status="succeeded", payment_method=method["id"], next_action=None, last_setup_error=None)
    intent["latest_attempt"] = _attempt(ctx, intent, method, error=None, authenticated=authenticated)
    if intent["customer"]:
        payment_methods.attach_to(ctx, method, intent["customer"], checked=True)
    outcomes.mark_set_up(ctx, method["id"])
    intent["mandate"] = mandates.grant(ctx, intent, method)
    return ctx.replace(intent, "setup_intent.succeeded")


def _fail(ctx: Context, intent: Document, method: Document, refusal: Refusal) -> Any:
    error = payment_methods.card_error(refusal, keep_changes=True, payment_method=method)
    ctx.store.drop_note("challenge", intent["id"])
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_setup_error=error_fields(error.error, method),
    )
    intent["latest_attempt"] = _attempt(
        ctx, intent, method, error=intent["last_setup_error"], authenticated=False
    )
    ctx.store.replace(intent)
    emit_failed(ctx, intent)
    error.error["setup_intent"] = shown(ctx, intent)
    return error


def _attempt(
    ctx: Context, intent: Document, method: Document, *, error: Document | None, authenticated: bool
) -> str:
    secure = (
        {
            "authentication_flow": "challenge",
            "result": "authenticated",
            "result_reason": None,
            "version": "2.2.0",
        }
        if authenticated
        else None
    )
    attempt = {
        "id": new_id("setup_attempt"),
        "object": "setup_attempt",
        "application": None,
        "created": ctx.now,
        "customer": intent["customer"],
        "customer_account": None,
        "flow_directions": None,
        "livemode": False,
        "on_behalf_of": None,
        "payment_method": method["id"],
        "payment_method_details": {
            "type": "card",
            "card": {
                name: method["card"][name]
                for name in (
                    "brand",
                    "country",
                    "exp_month",
                    "exp_year",
                    "fingerprint",
                    "funding",
                    "last4",
                    "wallet",
                )
            }
            | {
                "checks": method["card"]["checks"],
                "network": method["card"]["brand"],
                "three_d_secure": secure,
            },
        },
        "setup_error": error,
        "setup_intent": intent["id"],
        "status": "failed" if error else "succeeded",
        "usage": intent["usage"],
    }
    return str(ctx.insert(attempt)["id"])


_USAGE = Choice("off_session", "on_session")
_CREATE: dict[str, Rule] = {
    **ON_CREATE,
    "usage": _USAGE,
}
_UPDATE: dict[str, Rule] = {**SHARED}
_CONFIRM: dict[str, Rule] = {**ON_CONFIRM}
_CANCEL: dict[str, Rule] = {"cancellation_reason": Choice("abandoned", "duplicate", "requested_by_customer")}
_LIST: dict[str, Rule] = {**PAGING, "created": CREATED, "customer": Text(), "payment_method": Text()}
_ATTEMPTS: dict[str, Rule] = {**PAGING, "created": CREATED, "setup_intent": Text(unset=False)}
ENDPOINTS = [
    Endpoint("POST", "/v1/setup_intents", create, Params(_CREATE)),
    Endpoint("GET", "/v1/setup_intents", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/setup_intents/{id}", retrieve, Params(ON_RETRIEVE), publishable=True),
    Endpoint("POST", "/v1/setup_intents/{id}", update, Params(_UPDATE)),
    Endpoint("POST", "/v1/setup_intents/{id}/confirm", confirm, Params(_CONFIRM), publishable=True),
    Endpoint("POST", "/v1/setup_intents/{id}/cancel", cancel, Params(_CANCEL)),
    Endpoint("GET", "/v1/setup_attempts", list_attempts, Params(_ATTEMPTS, ("setup_intent",))),
]
