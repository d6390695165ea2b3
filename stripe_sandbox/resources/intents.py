"""What SetupIntents and PaymentIntents have in common: kinds of payment, the card they use, 3D Secure."""

from __future__ import annotations

from typing import Any

from .. import events
from ..context import Context
from ..errors import ApiError, invalid, mistake
from ..schema import Boolean, Refused, Rule, Text
from ..storage import Document
from . import payment_methods
from .shapes import (
    AUTOMATIC,
    MANDATE_DATA,
    METADATA,
    NO_TYPES,
    PAYMENT_METHOD_DATA,
    TYPES,
)

# Card details come from Stripe.js, and that only confirms.
_OF_BROWSERS = (
    "Card details are taken from Stripe.js with a publishable key only; servers send a payment_method."
)
SHARED: dict[str, Rule] = {
    "allowed_payment_method_types": TYPES,
    "description": Text(1000),
    "customer": Text(),
    "metadata": METADATA,
    "payment_method": Text(),
    "payment_method_data": Refused(_OF_BROWSERS, code="parameter_unknown"),
    "payment_method_types": NO_TYPES,
}
ON_CREATE: dict[str, Rule] = {
    **SHARED,
    "automatic_payment_methods": AUTOMATIC,
    "confirm": Boolean(),
    "mandate_data": MANDATE_DATA,
    "return_url": Text(),
    "use_stripe_sdk": Boolean(),
}
ON_CONFIRM: dict[str, Rule] = {
    "allowed_payment_method_types": TYPES,
    "client_secret": Text(),
    "key": Text(),
    "mandate_data": MANDATE_DATA,
    "payment_method": Text(),
    "payment_method_data": PAYMENT_METHOD_DATA,
    "payment_method_types": NO_TYPES,
    "return_url": Text(),
    "use_stripe_sdk": Boolean(),
}
ON_RETRIEVE: dict[str, Rule] = {"client_secret": Text(), "key": Text()}
_PRIVATE = (
    "customer",
    "customer_account",
    "metadata",
    "application",
    "on_behalf_of",
    "latest_charge",
    "transfer_data",
    "transfer_group",
    "application_fee_amount",
    "review",
    "latest_attempt",
)
_WORD = {"payment_intent": "PaymentIntent", "setup_intent": "SetupIntent"}


def kinds_of_payment(ctx: Context) -> Document:
    """The three fields that say how an intent may be paid; the two ways of choosing exclude each other."""
    allowed = ctx.params.get("allowed_payment_method_types")
    automatic = ctx.params.get("automatic_payment_methods")
    if allowed and automatic and automatic["enabled"]:
        raise mistake(
            "You may only specify one of these parameters: allowed_payment_method_types, "
            "automatic_payment_methods.",
            param="automatic_payment_methods",
            code="parameters_exclusive",
        )
    if allowed:
        return {
            "allowed_payment_method_types": allowed,
            "automatic_payment_methods": None,
            "payment_method_types": allowed,
        }
    if automatic is None or automatic["enabled"]:
        automatic = {"allow_redirects": (automatic or {}).get("allow_redirects", "always"), "enabled": True}
    else:
        automatic = None
    return {"automatic_payment_methods": automatic, "payment_method_types": ["card"]}


def check_mandate(ctx: Context) -> None:
    """Consent goes with a confirmation, not before it."""
    if ctx.params.get("mandate_data") and not ctx.params.get("confirm"):
        raise mistake("You cannot provide `mandate_data` without `confirm=true`.", param="mandate_data")


def check_return_url(ctx: Context, intent: Document) -> None:
    """Kinds of payment that may redirect need an address to come back to (Stripe.js has its own)."""
    automatic = intent["automatic_payment_methods"]
    if not automatic or automatic["allow_redirects"] == "never":
        return
    if ctx.params.get("return_url") or ctx.params.get("use_stripe_sdk"):
        return
    word = _WORD[intent["object"]]
    raise mistake(
        f"This {word} is configured to accept payment methods enabled in your Dashboard. Because some "
        "of these payment "
        "methods might redirect your customer off of your page, you must provide a `return_url`. If "
        "you don't want to "
        "accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
        "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
        "Payment Intents.",
        param="return_url",
    )


def given_method(ctx: Context) -> Document | None:
    """The card named or described in the parameters."""
    if ctx.params.get("payment_method"):
        return payment_methods.resolve(ctx, ctx.params["payment_method"])
    if ctx.params.get("payment_method_data"):
        if not ctx.publishable:
            raise mistake(_OF_BROWSERS, param="payment_method_data", code="parameter_unknown")
        return payment_methods.from_data(ctx, ctx.params["payment_method_data"])
    return None


def check_owner(ctx: Context, method: Document, customer_id: str | None) -> None:
    """A saved card may only be used for its own customer; a spent one not at all."""
    payment_methods.refuse_if_used(ctx, method)
    owner = method["customer"]
    if owner and customer_id is None:
        raise invalid(
            f"The PaymentMethod {method['id']} belongs to the customer {owner}. Please include the "
            "customer in the "
            "`customer` parameter.",
            param="payment_method",
        )
    if owner and owner != customer_id:
        raise invalid(
            f"The PaymentMethod {method['id']} does not belong to the Customer you supplied "
            f"{customer_id}. Please use "
            "this PaymentMethod with the Customer that it belongs to instead.",
            param="payment_method",
        )


def ask_for_authentication(
    ctx: Context, intent: Document, method: Document, *, off_session: bool
) -> Document:
    """requires_action: the cardholder is to prove who they are, in a modal or on a page of their bank."""
    intent["status"] = "requires_action"
    intent["payment_method"] = method["id"]
    return_url = ctx.params.get("return_url")
    url = f"{ctx.origin}/_sandbox/3ds/{intent['id']}?client_secret={intent['client_secret']}"
    if return_url and not ctx.params.get("use_stripe_sdk"):
        intent["next_action"] = {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": return_url, "url": url},
        }
    else:
        intent["next_action"] = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url, "source": intent["id"]},
        }
    ctx.store.write_note("challenge", intent["id"], {"off_session": off_session, "return_url": return_url})
    ctx.replace(intent, f"{intent['object']}.requires_action")
    return intent


def unexpected_state(intent: Document, message: str) -> ApiError:
    """400: the intent's status does not allow this."""
    kind = intent["object"]
    more: dict[str, Any] = {kind: intent}
    return invalid(message, code=f"{kind}_unexpected_state", **more)


def shown(ctx: Context, intent: Document) -> Document:
    """The intent as this caller may see it: a browser's key sees nothing about the customer."""
    if not ctx.publishable:
        return intent
    return {name: value for name, value in intent.items() if name not in _PRIVATE}


def emit_failed(ctx: Context, intent: Document) -> None:
    """The event of a failed confirmation."""
    name = (
        "payment_intent.payment_failed"
        if intent["object"] == "payment_intent"
        else "setup_intent.setup_failed"
    )
    events.emit(ctx, name, intent)


def error_fields(error: dict[str, Any], method: Document | None) -> Document:
    """`last_payment_error` or `last_setup_error` from an error answer."""
    kept = {name: value for name, value in error.items() if name not in ("payment_intent", "setup_intent")}
    if method is not None:
        kept["payment_method"] = method
    return kept
