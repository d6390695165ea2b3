"""/v1/payment_methods: cards, on their own or attached to a customer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .. import cards, outcomes
from ..cards import Refusal
from ..context import Context
from ..endpoint import Endpoint
from ..errors import ApiError, invalid, mistake
from ..ids import new_id
from ..lists import PAGING, Conditions, page
from ..schema import Choice, Hash, Integer, Params, Rule, Text, merge_metadata
from ..storage import Document
from . import mandates
from .shapes import BILLING_DETAILS, METADATA, METHOD_DATA, fill_billing_details

_USED = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
    "attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be "
    "used again. To "
    "use a PaymentMethod multiple times, you must attach it to a Customer first."
)


def create(ctx: Context) -> Document:
    """A card from its number (tests only; real accounts refuse raw numbers) or a tok_ name."""
    if "type" not in ctx.params:
        raise mistake("Missing required param: type.", param="type", code="parameter_missing")
    return from_data(ctx, ctx.params)


def retrieve(ctx: Context) -> Document:
    """The card; a pm_card_ name answers with a new one."""
    return resolve(ctx, ctx.path[0], in_path=True)


def update(ctx: Context) -> Document:
    """Change expiry, billing details or metadata of a saved card."""
    method = ctx.load("payment_method", ctx.path[0])
    if method["customer"] is None:
        raise invalid(
            "You must save this PaymentMethod to a customer before you can update it.",
            code="payment_method_unexpected_state",
        )
    was = ctx.snapshot(method)
    method["card"].update(ctx.params.get("card") or {})
    if "billing_details" in ctx.params:
        method["billing_details"] = fill_billing_details(
            ctx.params["billing_details"], method["billing_details"]
        )
    if "allow_redisplay" in ctx.params:
        method["allow_redisplay"] = ctx.params["allow_redisplay"]
    if "metadata" in ctx.params:
        method["metadata"] = merge_metadata(method["metadata"], ctx.params["metadata"])
    return method if method == was else ctx.replace(method, "payment_method.updated", was=was)


def attach(ctx: Context) -> Document:
    """Save the card with a customer; a card that needs authentication must go through a SetupIntent."""
    customer_id = ctx.params["customer"]
    ctx.load("customer", customer_id, param="customer")
    return attach_to(ctx, resolve(ctx, ctx.path[0], in_path=True), customer_id)


def detach(ctx: Context) -> Document:
    """Take the card from its customer, for good."""
    method = ctx.load("payment_method", ctx.path[0])
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            code="payment_method_unexpected_state",
        )
    return detach_from(ctx, method)


def list_all(ctx: Context) -> Document:
    """Cards of one customer."""
    where: Conditions = []
    if ctx.params.get("customer"):
        ctx.load("customer", ctx.params["customer"], param="customer")
        where.append(("customer = ?", ctx.params["customer"]))
    return page(ctx, "payment_method", "/v1/payment_methods", [*where, *asked_for(ctx)])


def asked_for(ctx: Context) -> Conditions:
    """What CHOOSE allows to ask of a list of cards, as conditions."""
    where: Conditions = []
    if ctx.params.get("type"):
        where.append(("label = ?", ctx.params["type"]))
    if ctx.params.get("allow_redisplay"):
        where.append(("json_extract(body, '$.allow_redisplay') = ?", ctx.params["allow_redisplay"]))
    return where


def resolve(ctx: Context, method_id: str, *, in_path: bool = False) -> Document:
    """The payment method called `method_id`; a test name (pm_card_visa) makes a new one each time."""
    card = cards.BY_TOKEN.get(method_id)
    if card:
        return make(ctx, card, {}, *_default_expiry(ctx))
    return ctx.load("payment_method", method_id, param=None if in_path else "payment_method")


def from_data(ctx: Context, data: dict[str, Any]) -> Document:
    """A new payment method from `payment_method_data`; refuses numbers and dates that cannot be."""
    given = data.get("card")
    if not given:
        raise mistake("Missing required param: card.", param="card", code="parameter_missing")
    if given.get("token"):
        card = cards.TOKENS.get(given["token"])
        if card is None:
            raise invalid(f"No such token: '{given['token']}'", param="card[token]", code="resource_missing")
        return make(ctx, card, data, *_default_expiry(ctx))
    for name in ("number", "exp_month", "exp_year"):
        if given.get(name) is None:
            raise mistake(
                f"Missing required param: card[{name}].", param=f"card[{name}]", code="parameter_missing"
            )
    number = given["number"].replace(" ", "").replace("-", "")
    _check_card(ctx, number, given)
    return make(ctx, cards.find(number), data, given["exp_month"], _full_year(given["exp_year"]))


def make(ctx: Context, card: cards.TestCard, data: dict[str, Any], exp_month: int, exp_year: int) -> Document:
    """Keep a new payment method that behaves as `card`."""
    method: Document = {
        "id": new_id("payment_method"),
        "object": "payment_method",
        "allow_redisplay": data.get("allow_redisplay", "unspecified"),
        "billing_details": fill_billing_details(data.get("billing_details")),
        "card": cards.card_details(card, exp_month, exp_year),
        "created": ctx.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": merge_metadata({}, data.get("metadata") or {}),
        "type": "card",
    }
    ctx.store.insert(method)
    # Only numbers of Stripe's published test cards decide behaviour; others are not kept.
    kept = card.number if card.number in cards.BY_NUMBER else ""
    ctx.store.write_note("card", method["id"], {"number": kept})
    return method


def attach_to(ctx: Context, method: Document, customer_id: str, *, checked: bool = False) -> Document:
    """Attach `method` to the customer; `checked` when a SetupIntent has already asked the bank."""
    if method["customer"] == customer_id:
        return method
    if method["customer"]:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    refuse_if_used(ctx, method)
    if not checked:
        verdict = outcomes.when_saved(ctx, method)
        if isinstance(verdict, Refusal):
            raise card_error(verdict, param=_param_of(verdict), payment_method=None)
    method["customer"] = customer_id
    method["card"]["checks"]["cvc_check"] = "pass"
    return ctx.replace(method, "payment_method.attached")


def detach_from(ctx: Context, method: Document) -> Document:
    """Take a card from its customer; it cannot be used again."""
    was = ctx.snapshot(method)
    owner = method["customer"]
    method["customer"] = None
    ctx.store.replace(method)
    ctx.emit("payment_method.detached", method, {"customer": was["customer"]})
    mandates.end(ctx, method["id"])
    ctx.store.write_note("card", method["id"], {**ctx.store.note("card", method["id"]), "spent": True})
    customer = ctx.store.get("customer", owner)
    if customer and customer["invoice_settings"]["default_payment_method"] == method["id"]:
        before = ctx.snapshot(customer)
        customer["invoice_settings"]["default_payment_method"] = None
        ctx.replace(customer, "customer.updated", was=before)
    return method


def refuse_if_used(ctx: Context, method: Document) -> None:
    """A card that was detached, or charged without a customer, is spent."""
    if method["customer"] is None and ctx.store.note("card", method["id"]).get("spent"):
        raise invalid(_USED, param="payment_method", code="payment_method_unexpected_state")


def card_error(refusal: Refusal, *, keep_changes: bool = False, **more: Any) -> ApiError:
    """402 for a refusal; a failed authentication is an invalid_request_error, as in recorded payloads."""
    return ApiError(
        402,
        "invalid_request_error" if refusal.code.endswith("_authentication_failure") else "card_error",
        refusal.words(),
        code=refusal.code,
        decline_code=refusal.decline_code,
        advice_code=refusal.advice_code,
        network_decline_code=refusal.network_decline_code,
        keep_changes=keep_changes,
        **more,
    )


def _param_of(refusal: Refusal) -> str | None:
    return {"incorrect_cvc": "cvc", "expired_card": "exp_month", "incorrect_number": "number"}.get(
        refusal.code
    )


def _check_card(ctx: Context, number: str, given: dict[str, Any]) -> None:
    today = datetime.fromtimestamp(ctx.now, UTC)
    month, year = given["exp_month"], _full_year(given["exp_year"])
    if not number.isdigit() or not 12 <= len(number) <= 19:
        raise card_error(
            Refusal("invalid_number", message="The card number is not a valid credit card number."),
            param="number",
        )
    if not cards.passes_luhn(number):
        raise card_error(Refusal("incorrect_number", message=cards.NUMBER.words()), param="number")
    if not 1 <= month <= 12:
        raise card_error(
            Refusal("invalid_expiry_month", message="Your card's expiration month is invalid."),
            param="exp_month",
        )
    if year > today.year + 50 or (year, month) < (today.year, today.month):
        raise card_error(
            Refusal("invalid_expiry_year", message="Your card's expiration year is invalid."),
            param="exp_year",
        )
    cvc = given.get("cvc")
    if cvc is not None and (not cvc.isdigit() or len(cvc) not in (3, 4)):
        raise card_error(Refusal("invalid_cvc", message="Your card's security code is invalid."), param="cvc")


def _full_year(year: int) -> int:
    return year + 2000 if year < 100 else year


def _default_expiry(ctx: Context) -> tuple[int, int]:
    today = datetime.fromtimestamp(ctx.now, UTC)
    return today.month, today.year + 1


_CREATE: dict[str, Rule] = {**METHOD_DATA, "key": Text()}
_UPDATE: dict[str, Rule] = {
    "allow_redisplay": Choice("always", "limited", "unspecified"),
    "billing_details": BILLING_DETAILS,
    "card": Hash({"exp_month": Integer(1, 12), "exp_year": Integer(2000, 2100)}, unset=False),
    "metadata": METADATA,
}
CHOOSE: dict[str, Rule] = {
    **PAGING,
    "type": Choice("card", "link"),
    "allow_redisplay": Choice("always", "limited", "unspecified"),
}
_LIST: dict[str, Rule] = {**CHOOSE, "customer": Text()}
ENDPOINTS = [
    Endpoint("POST", "/v1/payment_methods", create, Params(_CREATE), publishable=True),
    Endpoint("GET", "/v1/payment_methods", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/payment_methods/{id}", retrieve),
    Endpoint("POST", "/v1/payment_methods/{id}", update, Params(_UPDATE)),
    Endpoint("POST", "/v1/payment_methods/{id}/attach", attach, Params({"customer": Text()}, ("customer",))),
    Endpoint("POST", "/v1/payment_methods/{id}/detach", detach),
]
