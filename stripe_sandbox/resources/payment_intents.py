"""/v1/payment_intents: asking for money, and the states in which one can be changed, confirmed, canceled."""

from __future__ import annotations

from dataclasses import asdict

from .. import outcomes
from ..cards import AUTHENTICATION, Refusal
from ..context import Context
from ..endpoint import Endpoint
from ..errors import ApiError, invalid, mistake
from ..ids import client_secret, new_id
from ..lists import CREATED, PAGING, equals, page
from ..schema import Boolean, Choice, Either, Integer, Params, Refused, Rule, Text, merge_metadata
from ..storage import Document
from . import charging, mandates, payment_methods
from .currencies import check_amount
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
from .shapes import SHIPPING

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_AUTHENTICATION_FAILED = Refusal(
    "payment_intent_authentication_failure",
    message="We are unable to authenticate your payment method. Please choose a different payment "
    "method and try "
    "again.",
)


def create(ctx: Context) -> Document:
    """A new PaymentIntent, confirmed at once with `confirm`."""
    params = ctx.params
    if "off_session" in params and not params.get("confirm"):
        raise mistake("You cannot provide `off_session` without `confirm=true`.", param="off_session")
    currency = check_amount(params["amount"], params["currency"])
    if params.get("customer"):
        ctx.load("customer", params["customer"], param="customer")
    check_mandate(ctx)
    kinds = kinds_of_payment(ctx)
    method = given_method(ctx)
    if method:
        check_owner(ctx, method, params.get("customer"))
    intent = _new(ctx, currency, method, kinds)
    ctx.insert(intent, "payment_intent.created")
    return _confirm(ctx, intent) if params.get("confirm") else intent


def retrieve(ctx: Context) -> Document:
    """The PaymentIntent."""
    return shown(ctx, ctx.load_intent("payment_intent"))


def update(ctx: Context) -> Document:
    """Change an intent that has not been paid; told by no event, as at Stripe."""
    intent = ctx.load("payment_intent", ctx.path[0])
    params = ctx.params
    if intent["status"] not in _OPEN:
        only_words = {"metadata", "description", "receipt_email", "expand"}
        if intent["status"] == "canceled" or not params.keys() <= only_words:
            raise unexpected_state(
                intent,
                f"This PaymentIntent's {_first_other(params, only_words)} could not be "
                f"updated because it has a status of {intent['status']}. You may only "
                f"update it in one of the following statuses: {', '.join(_OPEN)}.",
            )
    if "amount" in params or "currency" in params:
        intent["amount"] = params.get("amount", intent["amount"])
        intent["currency"] = check_amount(intent["amount"], str(params.get("currency", intent["currency"])))
    if params.get("customer"):
        ctx.load("customer", params["customer"], param="customer")
        if intent["customer"] not in (None, params["customer"]):
            raise invalid("You cannot change the customer of this PaymentIntent.", param="customer")
        intent["customer"] = params["customer"]
    method = given_method(ctx)
    if method:
        check_owner(ctx, method, intent["customer"])
        intent.update(payment_method=method["id"], status="requires_confirmation", next_action=None)
    elif "payment_method" in params:
        intent.update(payment_method=None, status="requires_payment_method", next_action=None)
    for name in (
        "capture_method",
        "description",
        "receipt_email",
        "shipping",
        "statement_descriptor_suffix",
        "setup_future_usage",
    ):
        if name in params:
            intent[name] = params[name]
    if params.get("allowed_payment_method_types"):
        intent.update(kinds_of_payment(ctx))
    if "metadata" in params:
        intent["metadata"] = merge_metadata(intent["metadata"], params["metadata"])
    return ctx.replace(intent)


def confirm(ctx: Context) -> Document:
    """Charge the card, or ask for authentication, or answer the decline."""
    if ctx.publishable and "off_session" in ctx.params:
        raise mistake("You cannot provide `off_session` with a publishable key.", param="off_session")
    return shown(ctx, _confirm(ctx, ctx.load_intent("payment_intent")))


def cancel(ctx: Context) -> Document:
    """Give it up; a paid one cannot be."""
    intent = ctx.load("payment_intent", ctx.path[0])
    if intent["status"] not in _OPEN:
        raise unexpected_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses "
            f"may be canceled: {', '.join(_OPEN)}, requires_capture.",
        )
    intent.update(
        status="canceled",
        canceled_at=ctx.now,
        next_action=None,
        cancellation_reason=ctx.params.get("cancellation_reason"),
    )
    ctx.store.drop_note("challenge", intent["id"])
    return ctx.replace(intent, "payment_intent.canceled")


def list_all(ctx: Context) -> Document:
    """PaymentIntents of a customer, by time."""
    return page(ctx, "payment_intent", "/v1/payment_intents", equals(ctx.params, "customer"))


def after_challenge(ctx: Context, intent: Document, *, passed: bool) -> Document:
    """The cardholder completed or failed the authentication; the intent as it is then."""
    method = ctx.load("payment_method", intent["payment_method"])
    off_session = ctx.store.note("challenge", intent["id"]).get("off_session", False)
    ctx.store.drop_note("challenge", intent["id"])
    intent["next_action"] = None
    if not passed:
        return _fail(ctx, intent, method, _AUTHENTICATION_FAILED, None).error["payment_intent"]  # type: ignore
    verdict = outcomes.when_charged(ctx, method, off_session=off_session, authenticated=True)
    if isinstance(verdict, outcomes.Undecided):
        return _wait(ctx, intent, method, verdict)
    if isinstance(verdict, Refusal):
        charge = charging.charge(ctx, intent, method, verdict, authenticated=True)
        return _fail(ctx, intent, method, verdict, charge).error["payment_intent"]  # type: ignore[no-any-return]
    return _succeed(ctx, intent, method, authenticated=True)


def decide_later(ctx: Context, intent_id: str) -> None:
    """The bank answers at last about an intent that is `processing`."""
    intent = ctx.store.get("payment_intent", intent_id)
    if intent is None or intent["status"] != "processing":
        return
    method = ctx.load("payment_method", intent["payment_method"])
    refusal = ctx.store.note("processing", intent_id).get("refusal")
    ctx.store.drop_note("processing", intent_id)
    if refusal is None:
        _succeed(ctx, intent, method, authenticated=False)
        return
    verdict = Refusal(**refusal)
    charge = charging.charge(ctx, intent, method, verdict, authenticated=False)
    _fail(ctx, intent, method, verdict, charge)


def _wait(ctx: Context, intent: Document, method: Document, verdict: outcomes.Undecided) -> Document:
    intent.update(status="processing", payment_method=method["id"], next_action=None)
    refusal = asdict(verdict.refusal) if verdict.refusal else None
    ctx.store.write_note("processing", intent["id"], {"refusal": refusal})
    ctx.later(verdict.seconds, "payment_decided", intent["id"])
    return ctx.replace(intent, "payment_intent.processing")


def _new(ctx: Context, currency: str, method: Document | None, kinds: Document) -> Document:
    params = ctx.params
    intent_id = new_id("payment_intent")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": client_secret(intent_id),
        "confirmation_method": "automatic",
        "created": ctx.now,
        "currency": currency,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata") or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "processing": None,
        "receipt_email": params.get("receipt_email"),
        "review": None,
        "setup_future_usage": params.get("setup_future_usage"),
        "shipping": params.get("shipping"),
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_confirmation" if method else "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **kinds,
    }


def _confirm(ctx: Context, intent: Document) -> Document:
    if intent["status"] == "succeeded":
        raise unexpected_state(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after "
            "being previously confirmed.",
        )
    if intent["status"] not in _OPEN:
        raise unexpected_state(
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses "
            f"may be confirmed: {', '.join(_OPEN)}.",
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
            "You cannot confirm this PaymentIntent because it's missing a payment method. "
            "You can either update the PaymentIntent with a payment method and then "
            "confirm it again, or confirm it again directly with a payment method or "
            "ConfirmationToken.",
        )
    check_owner(ctx, method, intent["customer"])
    mandates.remember(ctx, intent)
    for name in ("capture_method", "receipt_email", "setup_future_usage", "shipping"):
        if name in ctx.params:
            intent[name] = ctx.params[name]
    intent["next_action"] = None
    off_session = ctx.params.get("off_session") not in (None, False)
    verdict = outcomes.when_charged(ctx, method, off_session=off_session)
    if isinstance(verdict, Refusal):
        charge = charging.charge(ctx, intent, method, verdict, authenticated=False)
        raise _fail(ctx, intent, method, verdict, charge)
    if isinstance(verdict, outcomes.Undecided):
        return _wait(ctx, intent, method, verdict)
    if verdict == outcomes.CHALLENGE and ctx.params.get("error_on_requires_action"):
        charge = charging.charge(ctx, intent, method, AUTHENTICATION, authenticated=False)
        raise _fail(ctx, intent, method, AUTHENTICATION, charge)
    if verdict == outcomes.CHALLENGE:
        return ask_for_authentication(ctx, intent, method, off_session=off_session)
    return _succeed(ctx, intent, method, authenticated=False)


def _succeed(ctx: Context, intent: Document, method: Document, *, authenticated: bool) -> Document:
    charge = charging.charge(ctx, intent, method, None, authenticated=authenticated)
    mandate = mandates.grant(ctx, intent, method)
    if mandate:
        charge["payment_method_details"]["card"]["mandate"] = mandate
        ctx.store.replace(charge)
    intent.update(
        status="succeeded",
        payment_method=method["id"],
        latest_charge=charge["id"],
        amount_received=intent["amount"],
        last_payment_error=None,
        next_action=None,
    )
    if intent["customer"] and method["customer"] is None and intent["setup_future_usage"]:
        payment_methods.attach_to(ctx, method, intent["customer"], checked=True)
        outcomes.mark_set_up(ctx, method["id"])
    elif method["customer"] is None:
        ctx.store.write_note("card", method["id"], {**ctx.store.note("card", method["id"]), "spent": True})
    ctx.replace(intent, "payment_intent.succeeded")
    ctx.emit("charge.succeeded", charge)
    return intent


def _fail(
    ctx: Context, intent: Document, method: Document, refusal: Refusal, charge: Document | None
) -> ApiError:
    error = payment_methods.card_error(
        refusal, keep_changes=True, payment_method=method, charge=charge["id"] if charge else None
    )
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_payment_error=error_fields(error.error, method),
    )
    if charge:
        intent["latest_charge"] = charge["id"]
        ctx.emit("charge.failed", charge)
    ctx.store.replace(intent)
    emit_failed(ctx, intent)
    error.error["payment_intent"] = shown(ctx, intent)
    return error


def _first_other(given: dict[str, object], known: set[str]) -> str:
    return next((name for name in given if name not in known), "metadata")


_MONEY: dict[str, Rule] = {
    "amount": Integer(1, 99999999),
    "currency": Text(3, unset=False),
    "capture_method": Choice("automatic", "automatic_async"),
    "receipt_email": Text(512),
    "setup_future_usage": Choice("off_session", "on_session", unset=True),
    "shipping": SHIPPING,
    "statement_descriptor": Refused(
        "The `statement_descriptor` parameter is not supported for the payment method type `card`. Use "
        "`statement_descriptor_suffix` instead."
    ),
    "statement_descriptor_suffix": Text(22),
}
_OFF_SESSION: Rule = Either((Choice("one_off", "recurring"), Boolean()))
_CREATE: dict[str, Rule] = {
    **ON_CREATE,
    **_MONEY,
    # With "manual" only a server may confirm, also after 3D Secure: not what Stripe.js is here for.
    "confirmation_method": Choice("automatic"),
    "error_on_requires_action": Boolean(),
    "off_session": _OFF_SESSION,
}
_CONFIRM: dict[str, Rule] = {
    **ON_CONFIRM,
    "capture_method": _MONEY["capture_method"],
    "error_on_requires_action": Boolean(),
    "off_session": _OFF_SESSION,
    "receipt_email": Text(512),
    "setup_future_usage": _MONEY["setup_future_usage"],
    "shipping": SHIPPING,
}
_UPDATE: dict[str, Rule] = {**SHARED, **_MONEY}
_CANCEL: dict[str, Rule] = {
    "cancellation_reason": Choice("abandoned", "duplicate", "fraudulent", "requested_by_customer")
}
_LIST: dict[str, Rule] = {**PAGING, "created": CREATED, "customer": Text()}
ENDPOINTS = [
    Endpoint("POST", "/v1/payment_intents", create, Params(_CREATE, ("amount", "currency"))),
    Endpoint("GET", "/v1/payment_intents", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/payment_intents/{id}", retrieve, Params(ON_RETRIEVE), publishable=True),
    Endpoint("POST", "/v1/payment_intents/{id}", update, Params(_UPDATE)),
    Endpoint("POST", "/v1/payment_intents/{id}/confirm", confirm, Params(_CONFIRM), publishable=True),
    Endpoint("POST", "/v1/payment_intents/{id}/cancel", cancel, Params(_CANCEL)),
]
