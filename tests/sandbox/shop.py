"""A host page as a program would serve it: a strict Content-Security-Policy and a script of its own."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Add a card</title>
<script src="{sandbox}/endive/stripe.js"></script><script src="/shop.js" defer></script></head>
<body><main><h1>Add a card</h1><div id="card"></div><button id="save" type="button">Save card</button>
<p id="result" role="status"></p><p id="state"></p></main></body></html>"""

SCRIPT = """
const query = new URLSearchParams(location.search);
const clientSecret = query.get("secret");
const stripe = Stripe("pk_test_shop");
const say = (text) => { document.getElementById("result").textContent = text; };
const elements = stripe.elements({ clientSecret, appearance: { theme: query.get("theme") || "stripe" } });
const element = elements.create("payment");
element.on("ready", () => { document.getElementById("state").textContent = "ready"; });
element.on("loaderror", (event) => say(`loaderror: ${event.error.message}`));
element.on("change", (event) => {
  document.getElementById("state").textContent = event.complete ? "complete" : "incomplete";
});
element.mount("#card");
const redirect = query.get("redirect") || "if_required";
document.getElementById("save").addEventListener("click", async () => {
  say("working");
  const { error } = await elements.submit();
  if (error) return say(`${error.type}: ${error.message}`);
  const confirm = clientSecret.startsWith("pi_") ? "confirmPayment" : "confirmSetup";
  const result = await stripe[confirm]({
    elements, confirmParams: { return_url: `${location.origin}/back` }, redirect,
  });
  if (result.error) {
    const intent = result.error.setup_intent || result.error.payment_intent;
    const reason = `${result.error.type} ${result.error.code} ${result.error.decline_code}`;
    return say(`${reason}: ${intent ? intent.status : result.error.message}`);
  }
  return say((result.setupIntent || result.paymentIntent).status);
});
"""


class Shop:
    """The host page at `url`: scripts, frames and requests of its own and of the sandbox, nothing else."""

    def __init__(self, sandbox: str) -> None:
        policy = (
            f"default-src 'none'; script-src 'self' {sandbox}; frame-src {sandbox}; connect-src {sandbox}; "
            "style-src 'self'; base-uri 'none'; form-action 'none'"
        )

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script = self.path.startswith("/shop.js")
                text = SCRIPT if script else PAGE.format(sandbox=sandbox)
                body = ("<!doctype html><title>Back</title>" if "/back" in self.path else text).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if script else "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", policy)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Shop:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
