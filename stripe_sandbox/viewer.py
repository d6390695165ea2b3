"""The pages a person looks at: customers and their cards, payments, events, requests; and a few buttons."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, quote

from . import issuer, pages
from .asgi import Request, Response, redirect
from .control import Control
from .pages import Markup
from .storage import Document
from .webhooks import deliveries

PER_PAGE = 25
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'"
DECLINES = {
    "insufficient_funds": "Insufficient funds",
    "expired_card": "Expired card",
    "generic_decline": "Declined",
    "authentication_required": "Authentication required",
}
_NEXT_DAYS = {"3600": "1 hour", "86400": "1 day", "604800": "1 week", "2592000": "30 days"}


class Viewer:
    """Pages over the control API."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.store = control.store
        self._pages: dict[str, Callable[[Request], Markup]] = {
            "": self.overview,
            "customers": self.customers,
            "payments": self.payments,
            "charges": self.charges,
            "events": self.events,
            "requests": self.requests,
        }

    def answer(self, request: Request) -> Response:
        """A page, or the redirect after a button."""
        parts = request.path.strip("/").split("/")
        if request.method == "POST" and parts[0] == "do" and len(parts) == 2:
            return self._do(parts[1], request.fields())
        page = self._pages.get(parts[0]) if len(parts) == 1 else None
        if request.method != "GET":
            return _html(
                pages.layout("Not possible", pages.note("There is nothing to post to here."), self._now()),
                405,
            )
        if page:
            return _html(page(request))
        if len(parts) == 2 and parts[0] == "objects":
            return self._object(parts[1])
        words = pages.note("There is no such page. The menu above leads to all of them.")
        return _html(pages.layout("Not found", words, self._now()), 404)

    # pages ---------------------------------------------------------------------------------------------

    def overview(self, request: Request) -> Markup:
        """Counts, the clock, where events go, what went wrong lately."""
        counts = [
            ("Customers", self.store.count("customer"), "/customers"),
            ("Cards", self.store.count("payment_method"), "/customers"),
            ("Payments", self.store.count("payment_intent"), "/payments"),
            ("Charges", self.store.count("charge"), "/charges"),
            ("Events", self.store.count("event"), "/events"),
        ]
        endpoints = self.store.select("webhook_endpoint", [], limit=16)
        hooks = pages.table(
            ["Webhook endpoint", "Events", "Status"],
            [[one["url"], ", ".join(one["enabled_events"]), pages.badge(one["status"])] for one in endpoints],
            "Events go nowhere yet. Start the sandbox with --webhook-url, or make a webhook endpoint "
            "through the API.",
        )
        faults = pages.table(
            ["Fault", "Method", "Path", "Times left"],
            [
                [one["action"], one["method"] or "any", one["path"], str(one["times"])]
                for one in self.control.pipeline.faults.all()
            ],
            "No fault is planned. Plan one with POST /_sandbox/faults.",
        )
        clock = pages.buttons("clock", {"back": "/"}, "advance", _NEXT_DAYS, "Move on by")
        body = pages.join(
            pages.tiles(counts),
            pages.section(
                "Clock",
                pages.join(
                    pages.paragraph(pages.join("It is ", pages.moment(self._now()), " UTC here.")), clock
                ),
            ),
            pages.section("Where events go", hooks),
            pages.section("Faults planned", faults),
            pages.section(
                "Latest payments", self._payment_table(self.store.select("payment_intent", [], limit=5))
            ),
        )
        return pages.layout("Overview", body, self._now())

    def customers(self, request: Request) -> Markup:
        """Every customer with their cards, and the buttons that make a card fail."""
        found, more = self._page("customer", request)
        sections = [pages.section(_name(one), self._cards(one)) for one in found]
        empty = pages.note("No customers yet. They appear when your program makes them through the API.")
        body = pages.join(*(sections or [empty]), more)
        return pages.layout("Customers and cards", body, self._now())

    def payments(self, request: Request) -> Markup:
        """PaymentIntents, newest first."""
        found, more = self._page("payment_intent", request)
        return pages.layout("Payments", pages.join(self._payment_table(found), more), self._now())

    def charges(self, request: Request) -> Markup:
        """Charges, newest first."""
        found, more = self._page("charge", request)
        rows = [
            [
                pages.link(one["id"]),
                pages.moment(one["created"]),
                pages.money(one["amount"], one["currency"]),
                pages.badge("refunded" if one["refunded"] else one["status"]),
                one["failure_message"] or "",
                pages.card_name(one["payment_method_details"]["card"]),
            ]
            for one in found
        ]
        table = pages.table(["Charge", "Made", "Amount", "Status", "Reason", "Card"], rows, "No charges yet.")
        return pages.layout("Charges", pages.join(table, more), self._now())

    def events(self, request: Request) -> Markup:
        """Events and how their delivery went."""
        found, more = self._page("event", request)
        rows = []
        for event in found:
            sent = deliveries(self.control.pipeline, event["id"])
            states = pages.join(*[pages.badge(_delivery(one)) for one in sent]) if sent else "no endpoint"
            again = pages.button("redeliver", {"event": event["id"], "back": "/events"}, "Deliver again")
            rows.append(
                [
                    pages.link(event["id"], event["type"]),
                    pages.moment(event["created"]),
                    pages.link(event["data"]["object"]["id"]),
                    states,
                    again,
                ]
            )
        table = pages.table(["Event", "Made", "About", "Delivery", ""], rows, "No events yet.")
        return pages.layout("Events", pages.join(table, more), self._now())

    def requests(self, request: Request) -> Markup:
        """The last requests to the API."""
        rows = [
            [
                pages.moment(one["at"]),
                f"{one['method']} {one['path']}",
                pages.badge(str(one["status"])),
                one["idempotency_key"] or "",
                "replayed" if one["replayed"] else (one["fault"] or ""),
            ]
            for one in list(self.control.pipeline.log)[: -PER_PAGE * 4 - 1 : -1]
        ]
        headings = ["At", "Request", "Answer", "Idempotency key", "Notes"]
        return pages.layout(
            "Requests", pages.table(headings, rows, "No requests since the start."), self._now()
        )

    # parts ---------------------------------------------------------------------------------------------

    def _cards(self, customer: Document) -> Markup:
        rows = []
        for method in self.store.select("payment_method", [("customer = ?", customer["id"])], limit=20):
            planned = self.store.note("card", method["id"]).get("next", [])
            hidden = {"method": method["id"], "back": f"/customers#{customer['id']}"}
            act = pages.buttons("decline", hidden, "decline_code", DECLINES, "Next charge fails")
            if planned:
                act = pages.join(act, pages.button("forgive", hidden, "Let it succeed"))
            words = ", ".join(
                one.get("decline_code") or one.get("code") or one.get("outcome", "") for one in planned[:3]
            )
            card = method["card"]
            rows.append(
                [
                    pages.link(method["id"], pages.card_name(card)),
                    f"{card['exp_month']:02} / {card['exp_year']}",
                    f"fails: {words}" if words else "as its test card does",
                    act,
                ]
            )
        table = pages.table(["Card", "Expires", "Next charge", ""], rows, "This customer has no card.")
        about = pages.paragraph(
            pages.join(pages.link(customer["id"]), " made ", pages.moment(customer["created"])),
            customer["id"],
        )
        return pages.join(about, table)

    def _payment_table(self, found: list[Document]) -> Markup:
        rows = []
        for one in found:
            error = one["last_payment_error"] or {}
            rows.append(
                [
                    pages.link(one["id"]),
                    pages.moment(one["created"]),
                    pages.money(one["amount"], one["currency"]),
                    pages.badge(one["status"]),
                    error.get("message") or one["description"] or "",
                    pages.link(one["customer"]) if one["customer"] else "",
                ]
            )
        return pages.table(
            ["Payment", "Made", "Amount", "Status", "Notes", "Customer"], rows, "No payments yet."
        )

    def _object(self, object_id: str) -> Response:
        found = self.store.get_any(object_id)
        if found is None:
            return _html(pages.layout("Not found", pages.note(f"There is no {object_id}."), self._now()), 404)
        shown = {name: "(hidden)" if name == "client_secret" else value for name, value in found.items()}
        body = pages.code(json.dumps(shown, indent=2, ensure_ascii=False))
        if found.get("object") == "event":
            rows = [
                [
                    pages.moment(attempt["at"]),
                    str(attempt["status"] or ""),
                    attempt["error"] or "",
                    one["endpoint"],
                ]
                for one in deliveries(self.control.pipeline, object_id)
                for attempt in one["attempts"]
            ]
            tried = pages.table(["At", "Answer", "Problem", "Endpoint"], rows, "It was not delivered yet.")
            body = pages.join(pages.section("Delivery", tried), pages.section("Content", body))
        title = f"{found.get('object', 'object')} {object_id}".replace("_", " ", 1)
        return _html(pages.layout(title, body, self._now()))

    def _page(self, kind: str, request: Request) -> tuple[list[Document], Markup]:
        after = parse_qs(request.query).get("after", [""])[0]
        position = self.store.position(kind, after) if after else None
        where = [("seq < ?", position[1])] if position else []
        found = self.store.select(kind, where, limit=PER_PAGE + 1)
        if len(found) <= PER_PAGE:
            return found, Markup("")
        return found[:PER_PAGE], pages.older(f"{request.path}?after={quote(found[PER_PAGE - 1]['id'])}")

    def _do(self, action: str, fields: dict[str, str]) -> Response:
        try:
            with self.store.transaction():
                if action == "decline":
                    code = fields["decline_code"]
                    known = code if code in ("expired_card", "authentication_required") else "card_declined"
                    outcome = {"code": known, "decline_code": code}
                    issuer.change(self.control.context(), fields["method"], {"outcomes": [outcome]})
                elif action == "forgive":
                    issuer.change(self.control.context(), fields["method"], {"outcomes": []})
                elif action == "redeliver":
                    self.control.redeliver(fields["event"])
                elif action == "clock":
                    self.control.move_clock({"advance": fields["advance"]})
                else:
                    raise LookupError(f"there is no button {action}")
        except (LookupError, ValueError) as error:
            return _html(pages.layout("Not possible", pages.note(str(error.args[0])), self._now()), 400)
        self.control.pipeline.wake.set()
        back = fields.get("back", "/")
        return redirect(back if back.startswith("/") and not back.startswith("//") else "/")

    def _now(self) -> int:
        return self.control.clock.now()


def _name(customer: Document) -> str:
    return str(customer["name"] or customer["email"] or customer["id"])


def _delivery(row: Document) -> str:
    if row["state"] == "pending" and row["attempts"]:
        return "retrying"
    return {"succeeded": "delivered", "failed": "not delivered", "pending": "pending"}[row["state"]]


def _html(body: Markup, status: int = 200) -> Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "X-Frame-Options": "DENY"}
    return Response(status, body.encode(), "text/html; charset=utf-8", headers)
