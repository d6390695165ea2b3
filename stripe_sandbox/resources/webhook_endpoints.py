"""/v1/webhook_endpoints: who is told of events; the signing secret is shown once, on creation."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..context import Context
from ..endpoint import NOT_EVEN_EXPAND, Endpoint
from ..errors import invalid, mistake
from ..events import NAMES
from ..ids import new_id, random_text
from ..lists import PAGING, page
from ..schema import Boolean, Choice, Listed, Params, Rule, Text, merge_metadata
from ..settings import API_VERSION
from ..storage import Document
from .shapes import METADATA

# As many as Stripe lets an account have in test mode; Store.endpoints reads no more.
MOST = 16


def create(ctx: Context) -> Document:
    """A new endpoint; the answer carries its `secret`."""
    made = make(
        ctx,
        new_id("webhook_endpoint"),
        ctx.params["url"],
        ctx.params["enabled_events"],
        f"whsec_{random_text(32)}",
    )
    made["description"] = ctx.params.get("description")
    made["api_version"] = ctx.params.get("api_version")
    made["metadata"] = merge_metadata({}, ctx.params.get("metadata") or {})
    ctx.store.replace(made)
    return {**made, "secret": ctx.store.note("signing", made["id"])["secret"]}


def make(ctx: Context, endpoint_id: str, url: str, enabled: list[str], secret: str) -> Document:
    """Keep an endpoint and its secret."""
    if ctx.store.count("webhook_endpoint") >= MOST:
        raise invalid(f"You have reached the maximum of {MOST} test webhook endpoints.")
    _check_url(url)
    if not enabled:
        raise mistake("You must listen to at least one event.", param="enabled_events")
    made: Document = {
        "id": endpoint_id,
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": None,
        "created": ctx.now,
        "description": None,
        "enabled_events": enabled,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }
    ctx.store.insert(made)
    ctx.store.write_note("signing", endpoint_id, {"secret": secret})
    return made


def retrieve(ctx: Context) -> Document:
    """The endpoint, without its secret."""
    return ctx.load("webhook_endpoint", ctx.path[0])


def update(ctx: Context) -> Document:
    """Change where and what is told, or switch it off."""
    endpoint = ctx.load("webhook_endpoint", ctx.path[0])
    if "url" in ctx.params:
        _check_url(ctx.params["url"])
        endpoint["url"] = ctx.params["url"]
    if "disabled" in ctx.params:
        endpoint["status"] = "disabled" if ctx.params["disabled"] else "enabled"
    for name in ("description", "enabled_events"):
        if name in ctx.params:
            endpoint[name] = ctx.params[name]
    if "metadata" in ctx.params:
        endpoint["metadata"] = merge_metadata(endpoint["metadata"], ctx.params["metadata"])
    return ctx.replace(endpoint)


def delete(ctx: Context) -> Document:
    """Tell this endpoint nothing more."""
    endpoint = ctx.load("webhook_endpoint", ctx.path[0])
    remains = {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}
    ctx.store.bury(endpoint["id"], remains)
    ctx.store.drop_note("signing", endpoint["id"])
    ctx.store.db.execute(
        "UPDATE delivery SET state = 'failed', due = NULL WHERE endpoint = ? AND state = 'pending'",
        (endpoint["id"],),
    )
    return remains


def list_all(ctx: Context) -> Document:
    """Every endpoint."""
    return page(ctx, "webhook_endpoint", "/v1/webhook_endpoints", [])


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise mistake(
            f"Invalid URL: {url}. An explicit scheme (such as https) must be provided.",
            param="url",
            code="url_invalid",
        )


_EVENTS: Rule = Listed(Choice("*", *NAMES))
_UPDATE: dict[str, Rule] = {
    "description": Text(),
    "disabled": Boolean(),
    "enabled_events": _EVENTS,
    "metadata": METADATA,
    "url": Text(unset=False),
}
_CREATE: dict[str, Rule] = {
    "api_version": Choice(API_VERSION),
    "description": Text(),
    "enabled_events": _EVENTS,
    "metadata": METADATA,
    "url": Text(unset=False),
}
ENDPOINTS = [
    Endpoint("POST", "/v1/webhook_endpoints", create, Params(_CREATE, ("url", "enabled_events"))),
    Endpoint("GET", "/v1/webhook_endpoints", list_all, Params(dict(PAGING))),
    Endpoint("GET", "/v1/webhook_endpoints/{id}", retrieve),
    Endpoint("POST", "/v1/webhook_endpoints/{id}", update, Params(_UPDATE)),
    Endpoint("DELETE", "/v1/webhook_endpoints/{id}", delete, NOT_EVEN_EXPAND),
]
