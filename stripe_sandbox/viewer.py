"""The pages a person looks at: /"""

from __future__ import annotations

from .asgi import Request, Response
from .control import Control


class Viewer:
    """Pages over the control API."""

    def __init__(self, control: Control) -> None:
        self.control = control

    def answer(self, request: Request) -> Response:
        """A page."""
        return Response(404, b"not found", "text/plain")
