"""Looking at the sandbox beside the product, quickly: HTTP and JSON on an open line, without the SDK."""

from __future__ import annotations

import http.client
import json
import os
from typing import Any
from urllib.parse import urlencode, urlsplit

from stripe_sandbox.handle import Handle


class _Line:
    """An open connection to the sandbox; a fork opens its own."""

    def __init__(self, sandbox: Handle) -> None:
        self._address = urlsplit(sandbox.url).netloc
        self._open: http.client.HTTPConnection | None = None
        self._opened_by = 0

    def ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """One request: the status and the body of its answer."""
        if self._open is None or self._opened_by != os.getpid():
            self._open = http.client.HTTPConnection(self._address, timeout=30)
            self._opened_by = os.getpid()
        try:
            self._open.request(method, path, body, headers)
            answer = self._open.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError):
            self._open.close()
            self._open = None
            raise


class Quick(Handle):
    """A handle whose switches are thrown over an open line."""

    def __init__(self, plain: Handle) -> None:
        super().__init__(plain.url, plain.webhook_secret)
        self._line = _Line(plain)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """As of the plain one."""
        data = None if body is None else json.dumps(body)
        status, said = self._line.ask(method, f"/_sandbox{path}", data, {"Content-Type": "application/json"})
        if status != 200:
            raise ValueError(said.decode())
        return json.loads(said)


class StripeSide:
    """What is at Stripe. ValueError with Stripe's words if it refuses."""

    def __init__(self, sandbox: Handle) -> None:
        self._headers = {
            "Authorization": f"Bearer {sandbox.secret_key}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._line = _Line(sandbox)

    def get(self, path: str, **params: Any) -> Any:
        """An object."""
        query = urlencode(_flat(params))
        return self._ask("GET", f"/v1/{path}" + (f"?{query}" if query else ""), None)

    def all(self, path: str, **params: Any) -> list[Any]:
        """The newest hundred of a list."""
        return list(self.get(path, limit=100, **params)["data"])

    def post(self, path: str, **params: Any) -> Any:
        """Make or change something."""
        return self._ask("POST", f"/v1/{path}", urlencode(_flat(params)))

    def _ask(self, method: str, path: str, body: str | None) -> Any:
        status, said = self._line.ask(method, path, body, self._headers)
        if status != 200:
            raise ValueError(said.decode())
        return json.loads(said)


def _flat(params: dict[str, Any], inside: str = "") -> list[tuple[str, str]]:
    """Parameters as Stripe's forms have them: a[b]=1, a[]=1."""
    found: list[tuple[str, str]] = []
    for name, value in params.items():
        key = f"{inside}[{name}]" if inside else name
        if isinstance(value, dict):
            found += _flat(value, key)
        elif isinstance(value, (list, tuple)):
            found += [(f"{key}[{place}]", str(item)) for place, item in enumerate(value)]
        else:
            found.append((key, str(value).lower() if isinstance(value, bool) else str(value)))
    return found
