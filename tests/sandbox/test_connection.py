"""HTTP/1.1 as the sandbox reads it: whole requests in any pieces, and words for what is none."""

from __future__ import annotations

import http.client
import json
import re
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_sandbox.handle import Handle
from stripe_sandbox.reading import NotHttp, Reader

CHUNKED = (
    b"POST /v1/customers?a=1%20b HTTP/1.1\r\nHost: there:99\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nname=\r\n4\r\nAcme\r\n0\r\nTrailer: t\r\n\r\n"
)
COUNTED = b"POST /v1/a%20b HTTP/1.1\r\nContent-Length: 4\r\nX-Key:  v \r\n\r\na=bc"


@given(st.integers(0, len(CHUNKED) + len(COUNTED)))
def test_a_request_is_read_when_it_is_whole_and_not_before(length: int) -> None:
    reader, everything = Reader("here:1"), CHUNKED + COUNTED
    before = reader.feed(everything[:length])
    assert len(before) == (length >= len(CHUNKED)) + (length == len(everything))
    first, second = [*before, *reader.feed(everything[length:])]
    assert (first.method, first.path, first.query) == ("POST", "/v1/customers", "a=1%20b")
    assert (first.body, first.origin) == (b"name=Acme", "http://there:99")
    assert (second.path, second.body, second.origin) == ("/v1/a b", b"a=bc", "http://here:1")
    assert (second.headers["x-key"], second.keep_alive) == ("v", True)


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_request_is_refused(wrong: bytes, sandbox: Handle) -> None:
    with pytest.raises(NotHttp):
        Reader("here").feed(wrong)
    with socket.create_connection(("127.0.0.1", port(sandbox)), timeout=10) as connection:
        connection.sendall(wrong)
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_body_that_does_not_end_is_refused() -> None:
    reader = Reader("here")
    reader.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n")
    for _ in range(15):
        assert reader.feed(b"x" * 65_536) == []
    with pytest.raises(NotHttp, match="too large"):
        reader.feed(b"x" * 65_536)


def port(sandbox: Handle) -> int:
    return int(urlsplit(sandbox.url).port or 0)


def test_one_connection_answers_one_request_after_another(sandbox: Handle) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port(sandbox), timeout=10)
    headers = {"Authorization": "Bearer sk_test_x"}
    for number in range(3):
        connection.request("POST", "/v1/customers", f"name=A{number}", headers)
        answer = connection.getresponse()
        assert json.loads(answer.read())["name"] == f"A{number}"
        assert answer.getheader("connection") is None
    connection.request("HEAD", "/v1/customers", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (404, b"")
    connection.request("GET", "/v1/customers", headers={**headers, "Connection": "close"})
    answer = connection.getresponse()
    assert len(json.loads(answer.read())["data"]) == 3
    assert answer.getheader("connection") == "close"


def test_requests_that_come_together_are_answered_in_order(sandbox: Handle) -> None:
    ask = "GET /v1/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_x\r\n{}\r\n"
    both = ask.format("account", "") + ask.format("balance", "Connection: close\r\n")
    with socket.create_connection(("127.0.0.1", port(sandbox)), timeout=10) as connection:
        connection.sendall(both.encode())
        text = connection.makefile("rb").read().decode()
    assert text.count("HTTP/1.1 200 OK") == 2
    assert text.index('"object":"account"') < text.index('"object":"balance"')


def test_who_waits_to_be_asked_for_the_body_is_asked(sandbox: Handle) -> None:
    head = b"POST /v1/customers HTTP/1.1\r\nAuthorization: Bearer sk_test_x\r\nContent-Length: 6\r\n"
    with socket.create_connection(("127.0.0.1", port(sandbox)), timeout=10) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"name=A")
        assert connection.recv(20).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "reset_mid_body"])
def test_a_reset_is_one_on_the_wire(sandbox: Handle, fault: str) -> None:
    """Not an orderly end, which a client may take for an answer without a length."""
    sandbox.fault(fault)
    ask = b"GET /v1/account HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_x\r\n\r\n"
    came = bytearray()

    def read() -> None:
        while piece := connection.recv(65_536):
            came.extend(piece)

    with socket.create_connection(("127.0.0.1", port(sandbox)), timeout=10) as connection:
        connection.sendall(ask)
        with pytest.raises(ConnectionResetError):
            read()
    head, _, body = came.partition(b"\r\n\r\n")
    if fault != "reset_mid_body":
        assert came == b""
    else:
        (length,) = re.findall(rb"content-length: (\d+)", head)
        assert len(body) == int(length) // 2 > 0
