"""What a browser loads from the sandbox: Stripe.js's stand-in, its card form, the 3D Secure page."""

from __future__ import annotations

import html
from pathlib import Path

from .messages import Request, Response
from .pages import money
from .storage import Store

ASSETS = Path(__file__).parent / "assets"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
_FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'none'; base-uri 'none'"
)


def asset(name: str, request: Request) -> Response:
    """A file of the stand-in: stripe.js, card-form, card-form.js, frame.css, challenge.js."""
    file = ASSETS / (f"{name}.html" if "." not in name else name)
    if "/" in name or name.startswith(".") or file.suffix not in _TYPES or not file.is_file():
        return Response(404, b"There is no such file.", "text/plain; charset=utf-8")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    if file.suffix == ".html":
        headers["Content-Security-Policy"] = _FRAME_POLICY
    if name == "stripe.js":
        headers["Access-Control-Allow-Origin"] = "*"
    return Response(200, file.read_bytes(), _TYPES[file.suffix], headers)


def challenge_page(store: Store, request: Request) -> Response:
    """The bank's page of 3D Secure for one intent, in Stripe.js's modal or on its own."""
    intent_id = request.path.rsplit("/", 1)[-1]
    kind = "payment_intent" if intent_id.startswith("pi_") else "setup_intent"
    intent = store.get(kind, intent_id)
    if intent is None or request.form().get("client_secret") != intent["client_secret"]:
        return Response(404, b"There is no such authentication.", "text/plain; charset=utf-8")
    what = "save this card for later payments"
    if kind == "payment_intent":
        what = f"pay {money(intent['amount'], intent['currency'])}"
    page = (ASSETS / "challenge.html").read_text("utf-8").replace("{{what}}", html.escape(what))
    headers = {"Content-Security-Policy": _FRAME_POLICY, "Cache-Control": "no-store"}
    return Response(200, page.encode(), _TYPES[".html"], headers)
