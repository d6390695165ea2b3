"""One endpoint: where it is, who may call it, what it takes and what it does; and finding it by path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .schema import Params

if TYPE_CHECKING:
    from .context import Context

NO_PARAMS = Params()
NOT_EVEN_EXPAND = Params(expandable=False)
Handler = Callable[["Context"], dict[str, Any]]


@dataclass(frozen=True)
class Endpoint:
    """`path` is a template such as /v1/customers/{id}; `publishable` opens it to browser keys."""

    method: str
    path: str
    handler: Handler
    params: Params = NO_PARAMS
    publishable: bool = False


class Router:
    """Finds the endpoint of a request by walking the parts of its path."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._tree: dict[str, Any] = {}
        for endpoint in endpoints:
            node = self._tree
            for part in endpoint.path.strip("/").split("/"):
                node = node.setdefault("{}" if part.startswith("{") else part, {})
            node[f"{endpoint.method} "] = endpoint

    def find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]] | None:
        """The endpoint and the values of its path's placeholders, or None."""
        node, values = self._tree, []
        for part in path.strip("/").split("/"):
            if part in node:
                node = node[part]
            elif "{}" in node and part:
                node = node["{}"]
                values.append(part)
            else:
                return None
        endpoint = node.get(f"{method} ")
        return (endpoint, tuple(values)) if endpoint else None
