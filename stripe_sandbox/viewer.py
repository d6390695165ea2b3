"""The pages a person looks at: customers and their cards, payments, events, requests; and a few buttons."""

from __future__ import annotations

import json
from collections.abc import Callable

from . import pages
from .browsing import PER_PAGE, page_of
from .buttons import DECLINES, UPDATES, press
from .control import Control
from .messages import Request, Response, redirect
from .pages import Markup
from .storage import Document
from .viewer_money import MoneyPages
from .webhooks import deliveries

_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'"
_NEXT_DAYS = {"3600": "1 hour", "86400": "1 day", "604800": "1 week", "2592000": "30 days"}


class Viewer:
    """Pages over the control API."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.store = control.store
        money = MoneyPages(control)
        self._pages: dict[str, Callable[[Request], Markup]] = {
            "": self.overview,
            "customers": self.customers,
            "payments": self.payments,
            "charges": money.charges,
            "disputes": money.disputes,
            "payouts": money.payouts,
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
            ("Disputes", self.store.count("dispute"), "/disputes"),
            ("Payouts", self.store.count("payout"), "/payouts"),
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
        found, more = page_of(self.store, "customer", request)
        sections = [pages.section(_name(one), self._cards(one)) for one in found]
        empty = pages.note("No customers yet. They appear when your program makes them through the API.")
        body = pages.join(*(sections or [empty]), more)
        return pages.layout("Customers and cards", body, self._now())

    def payments(self, request: Request) -> Markup:
        """PaymentIntents, newest first."""
        found, more = page_of(self.store, "payment_intent", request)
        return pages.layout("Payments", pages.join(self._payment_table(found), more), self._now())

    def events(self, request: Request) -> Markup:
        """Events and how their delivery went."""
        found, more = page_of(self.store, "event", request)
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
            note = self.store.note("card", method["id"])
            planned, closed = note.get("next", []), note.get("closed")
            hidden = {"method": method["id"], "back": f"/customers#{customer['id']}"}
            act = pages.buttons("decline", hidden, "decline_code", DECLINES, "Next charge fails")
            act = pages.join(act, pages.buttons("update", hidden, "kind", UPDATES, "Bank sends"))
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
                    f"fails: {words}" if words else "account closed" if closed else "as its test card does",
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

    def _do(self, action: str, fields: dict[str, str]) -> Response:
        try:
            with self.store.transaction():
                press(self.control, action, fields)
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
    state = str(row["state"])
    if state == "pending" and row["attempts"]:
        return "retrying"
    return {"succeeded": "delivered", "failed": "not delivered", "made_good": "made good"}.get(state, state)


def _html(body: Markup, status: int = 200) -> Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "X-Frame-Options": "DENY"}
    return Response(status, body.encode(), "text/html; charset=utf-8", headers)
