"""/v1/customers"""

from __future__ import annotations

from ..context import Context
from ..endpoint import NOT_EVEN_EXPAND, Endpoint
from ..errors import invalid
from ..ids import new_id, random_text
from ..lists import CREATED, PAGING, page
from ..schema import Choice, Hash, Integer, Listed, Params, Rule, Text, merge_metadata
from ..storage import Document
from . import payment_methods
from .shapes import ADDRESS, METADATA, SHIP_TO

_FIELDS: dict[str, Rule] = {
    "address": ADDRESS,
    "balance": Integer(),
    "business_name": Text(150),
    "description": Text(),
    "email": Text(512),
    "individual_name": Text(150),
    "invoice_prefix": Text(12),
    "invoice_settings": Hash({"default_payment_method": Text(), "footer": Text()}),
    "metadata": METADATA,
    "name": Text(256),
    "next_invoice_sequence": Integer(1),
    "phone": Text(20),
    "preferred_locales": Listed(Text()),
    "shipping": SHIP_TO,
    "tax_exempt": Choice("exempt", "none", "reverse", unset=True),
}
_PLAIN = (
    "address",
    "balance",
    "description",
    "email",
    "invoice_prefix",
    "name",
    "next_invoice_sequence",
    "phone",
    "preferred_locales",
    "shipping",
)


def create(ctx: Context) -> Document:
    """A new customer, with a card attached when `payment_method` names one."""
    customer: Document = {
        "id": new_id("customer"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": ctx.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": random_text(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    settings = ctx.params.get("invoice_settings") or {}
    default = settings.get("default_payment_method")
    method_id = ctx.params.get("payment_method")
    if default and default != method_id:
        raise _not_theirs(customer["id"], default)
    ctx.params.pop("invoice_settings", None)
    customer["invoice_settings"]["footer"] = settings.get("footer")
    _apply(ctx, customer)
    ctx.insert(customer, "customer.created")
    if method_id:
        method = payment_methods.attach_to(ctx, payment_methods.resolve(ctx, method_id), customer["id"])
        if default:
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            ctx.store.replace(customer)
    return customer


def retrieve(ctx: Context) -> Document:
    """The customer; `deleted: true` when it was deleted."""
    remains = ctx.store.get("deleted_customer", ctx.path[0])
    return remains or ctx.load("customer", ctx.path[0])


def update(ctx: Context) -> Document:
    """Change what was given."""
    customer = ctx.load("customer", ctx.path[0])
    was = ctx.snapshot(customer)
    _apply(ctx, customer)
    if customer == was:
        return customer
    return ctx.replace(customer, "customer.updated", was=was)


def delete(ctx: Context) -> Document:
    """Delete the customer; its cards are detached."""
    customer = ctx.load("customer", ctx.path[0])
    for method in ctx.store.select("payment_method", [("customer = ?", customer["id"])], limit=1000):
        payment_methods.detach_from(ctx, method)
    remains = {"id": customer["id"], "object": "customer", "deleted": True}
    ctx.store.bury(customer["id"], remains)
    ctx.emit("customer.deleted", customer)
    return remains


def list_all(ctx: Context) -> Document:
    """Customers, by `email` if asked."""
    where = [("label = ?", ctx.params["email"])] if ctx.params.get("email") else []
    return page(ctx, "customer", "/v1/customers", where)


def list_payment_methods(ctx: Context) -> Document:
    """The customer's cards."""
    customer = ctx.load("customer", ctx.path[0])
    where = [("customer = ?", customer["id"]), *payment_methods.asked_for(ctx)]
    return page(ctx, "payment_method", f"/v1/customers/{customer['id']}/payment_methods", where)


def retrieve_payment_method(ctx: Context) -> Document:
    """One of the customer's cards."""
    customer = ctx.load("customer", ctx.path[0])
    method = ctx.load("payment_method", ctx.path[1])
    if method["customer"] != customer["id"]:
        raise _not_theirs(customer["id"], method["id"])
    return method


def _apply(ctx: Context, customer: Document) -> None:
    for name in _PLAIN:
        if name in ctx.params:
            customer[name] = ctx.params[name]
    for name in ("business_name", "individual_name"):
        if name in ctx.params:
            customer[name] = ctx.params[name]
    if "tax_exempt" in ctx.params:
        customer["tax_exempt"] = ctx.params["tax_exempt"] or "none"
    if "metadata" in ctx.params:
        customer["metadata"] = merge_metadata(customer["metadata"], ctx.params["metadata"])
    settings = ctx.params.get("invoice_settings") or {}
    if settings.get("default_payment_method"):
        method = ctx.load(
            "payment_method",
            settings["default_payment_method"],
            param="invoice_settings[default_payment_method]",
        )
        if method["customer"] != customer["id"]:
            raise _not_theirs(customer["id"], method["id"])
    customer["invoice_settings"].update(settings)


def _not_theirs(customer_id: str, method_id: str) -> Exception:
    return invalid(
        f"The customer {customer_id} does not have a payment method with the ID {method_id}. The "
        "payment method "
        "must be attached to the customer.",
        param="payment_method",
        code="resource_missing",
    )


_LIST = {**PAGING, "created": CREATED, "email": Text()}
ENDPOINTS = [
    Endpoint("POST", "/v1/customers", create, Params({**_FIELDS, "payment_method": Text()})),
    Endpoint("GET", "/v1/customers", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/customers/{id}", retrieve),
    Endpoint("POST", "/v1/customers/{id}", update, Params(_FIELDS)),
    Endpoint("DELETE", "/v1/customers/{id}", delete, NOT_EVEN_EXPAND),
    Endpoint(
        "GET", "/v1/customers/{id}/payment_methods", list_payment_methods, Params(payment_methods.CHOOSE)
    ),
    Endpoint("GET", "/v1/customers/{id}/payment_methods/{method}", retrieve_payment_method),
]
