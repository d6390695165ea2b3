"""The application: which part of the sandbox answers which address."""

from __future__ import annotations

from . import elements
from .clock import Clock
from .control import Control
from .messages import Request, Response, json_response
from .pipeline import Pipeline
from .settings import Settings
from .storage import Store
from .viewer import Viewer
from .webhooks import Background

_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Stripe-Version",
    "Access-Control-Max-Age": "600",
}


class Sandbox:
    """One sandbox: its store, its clock, its parts. `state` is its file; None keeps it in memory."""

    def __init__(self, settings: Settings, state: str | None = None) -> None:
        self.store = Store(state)
        self.clock = Clock(self.store.note("clock", "offset").get("seconds", 0.0))
        self.pipeline = Pipeline(self.store, self.clock, settings)
        self.control = Control(self.pipeline)
        self.viewer = Viewer(self.control)
        if settings.webhook_url:
            with self.store.transaction():
                self.control.set_webhook(settings.webhook_url, settings.webhook_secret)

    async def answer(self, request: Request) -> Response:
        """The answer to any request."""
        path = request.path
        if request.method == "OPTIONS":
            return Response(204, headers=dict(_PREFLIGHT))
        if path.startswith("/v1/"):
            return await self.pipeline.answer(request)
        if _from_elsewhere(request):
            return json_response({"error": "the sandbox takes no orders from other sites' pages"}, 403)
        if path.startswith("/_sandbox/3ds/") and request.method == "GET":
            return elements.challenge_page(self.store, request)
        if path.startswith("/_sandbox/"):
            return self.control.answer(request)
        if path.startswith("/endive/"):
            return elements.asset(path.removeprefix("/endive/"), request)
        return self.viewer.answer(request)

    async def live(self) -> None:
        """Do what is due and deliver events until cancelled; then close the file."""
        try:
            await Background(self.pipeline).run()
        finally:
            self.store.close()


def _from_elsewhere(request: Request) -> bool:
    """A changing request that a browser sent for a page of another site."""
    if request.method == "GET":
        return False
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    return (site is not None and site not in ("same-origin", "none")) or (
        origin is not None and origin not in ("null", request.origin)
    )
