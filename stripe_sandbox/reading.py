"""Reading requests from what a connection sends, by httptools (the parser of Node.js)."""

from __future__ import annotations

from urllib.parse import unquote

import httptools

from .messages import LARGEST_BODY, Request

_LONGEST_HEAD = 64 * 1024


class NotHttp(Exception):
    """The bytes are no request this server reads."""


class Reader:
    """Turns bytes, in whatever pieces they come, into requests. The on_ methods are httptools' callbacks."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._parser = httptools.HttpRequestParser(self)
        self._whole: list[Request] = []
        self._asks = False
        self.on_message_begin()

    def feed(self, data: bytes) -> list[Request]:
        """The requests that are whole now. Raises NotHttp; nothing can be read from this connection then."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            raise NotHttp(str(error.__context__)) from error
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise NotHttp(f"This is not HTTP/1.1: {error}") from error
        whole, self._whole = self._whole, []
        return whole

    def wants_to_be_asked(self) -> bool:
        """Whether a request waits for "100 Continue" before it sends its body; true once for each."""
        asks, self._asks = self._asks, False
        return asks

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head = 0
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._parser.get_http_version() not in ("1.0", "1.1"):
            raise NotHttp("This is not HTTP/1.1.")
        if int(self._headers.get("content-length", 0)) > LARGEST_BODY:
            raise NotHttp("The body is too large.")
        self._asks = self._headers.get("expect", "").lower() == "100-continue"

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body += body
        if len(self._body) > LARGEST_BODY:
            raise NotHttp("The body is too large.")

    def on_message_complete(self) -> None:
        """The request is whole."""
        path, _, query = self._url.decode("latin-1").partition("?")
        self._asks = False
        self._whole.append(
            Request(
                self._parser.get_method().decode(),
                unquote(path),
                query,
                self._headers,
                bytes(self._body),
                f"http://{self._headers.get('host') or self._host}",
                self._parser.should_keep_alive(),
            )
        )

    def _count(self, more: int) -> None:
        self._head += more
        if self._head > _LONGEST_HEAD:
            raise NotHttp("The head of this request is too long.")
