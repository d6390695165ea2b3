"""What a resource works with while one request is executed: its parameters, the store, the time, events."""

from __future__ import annotations

import copy
from typing import Any

from . import events, expansion
from .clock import Clock
from .errors import ApiError, forbidden, missing_object
from .settings import Settings
from .storage import Document, Store

NOUNS = {
    "customer": "customer",
    "payment_method": "PaymentMethod",
    "setup_intent": "setupintent",
    "payment_intent": "payment_intent",
    "charge": "charge",
    "refund": "refund",
    "event": "notification",
    "webhook_endpoint": "webhook endpoint",
    "balance_transaction": "balance transaction",
    "dispute": "dispute",
    "mandate": "mandate",
    "payout": "payout",
    "radar.early_fraud_warning": "early fraud warning",
}


class Context:
    """One request being executed, inside one transaction. `path` holds the ids found in the address."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        settings: Settings,
        params: dict[str, Any] | None = None,
        path: tuple[str, ...] = (),
        publishable: bool = False,
        request_id: str | None = None,
        idempotency_key: str | None = None,
        origin: str = "",
        moment: float | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.settings = settings
        self.params = params or {}
        self.path = path
        self.publishable = publishable
        self.request_id = request_id
        self.idempotency_key = idempotency_key
        self.origin = origin
        # What is done later is done as of the moment it was due, not of the moment the clock was moved to.
        self._moment = moment
        self.now = clock.now() if moment is None else int(moment)
        # For chaos.py: events of this request are dropped; deliveries its answer waits for; their new order.
        self.muted = False
        self.early: list[int] = []
        self.order: dict[str, list[int]] = {}

    def later(self, seconds: float, action: str, target: str) -> None:
        """Do `action` (of later.ACTIONS) to the object `target` this many seconds from now."""
        moment = self.clock.precise() if self._moment is None else self._moment
        self.store.schedule(moment + seconds, action, target)

    def load(self, kind: str, object_id: str, *, param: str | None = None) -> Document:
        """The object, or 404; 400 when it was named in the parameter `param` and not in the address."""
        found = self.store.get(kind, object_id)
        if found is None:
            if param:
                raise missing_object(NOUNS[kind], object_id, param=param, status=400)
            raise missing_object(NOUNS[kind], object_id, param="intent" if kind.endswith("_intent") else "id")
        return found

    def load_intent(self, kind: str) -> Document:
        """The intent in the address; a browser's key must bring the intent's client secret with it."""
        intent = self.load(kind, self.path[0])
        if self.publishable:
            given = self.params.get("client_secret")
            if given is None:
                raise forbidden(
                    "This API call cannot be made with a publishable API key without the "
                    "client_secret of the intent."
                )
            if given != intent["client_secret"]:
                raise ApiError(
                    400,
                    "invalid_request_error",
                    "The client_secret provided does not match any associated "
                    f"{'PaymentIntent' if kind == 'payment_intent' else 'SetupIntent'} on this account.",
                    code=f"{kind}_invalid_parameter",
                    param="client_secret",
                )
        return intent

    def insert(self, obj: Document, *emit: str) -> Document:
        """Keep a new object and tell the named events."""
        text = self.store.insert(obj)
        for name in emit:
            events.emit(self, name, obj, text=text)
        return obj

    def replace(self, obj: Document, *emit: str, was: Document | None = None) -> Document:
        """Keep an object's new state and tell the named events; `was` gives `previous_attributes`."""
        text = self.store.replace(obj)
        for name in emit:
            previous = (
                expansion.difference(was, obj) if was is not None and name.endswith("updated") else None
            )
            events.emit(self, name, obj, previous, text)
        return obj

    def emit(self, name: str, obj: Document, previous: Document | None = None) -> None:
        """Tell an event about `obj`."""
        events.emit(self, name, obj, previous)

    def snapshot(self, obj: Document) -> Document:
        """A copy to compare with later."""
        return copy.deepcopy(obj)
