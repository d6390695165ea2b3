"""The sandbox's clock: moved as asked, and left alone by an order that makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox import later
from stripe_sandbox.app import Sandbox
from stripe_sandbox.handle import Handle
from stripe_sandbox.settings import Settings

YEAR = 365 * 86400


@pytest.mark.parametrize(
    "order",
    [
        b'{"advance": NaN}',
        b'{"advance": 1e15}',
        b'{"advance": -1e15}',
        b'{"advance": 1%s}' % (b"0" * 400),
        b'{"advance": "soon"}',
        b'{"advance": null}',
        b'{"now": Infinity}',
        b'{"now": -1}',
        b'{"now": "9999-05-15T00:00:00+00:00"}',
        b'{"now": "2031-05-15T00:00:00"}',
        b'{"now": "tomorrow"}',
        b"{}",
    ],
)
def test_a_refused_order_leaves_the_clock_and_the_sandbox_as_they_were(
    sandbox: Handle, client: stripe.StripeClient, order: bytes
) -> None:
    sandbox.advance(3600)
    refused = requests.post(f"{sandbox.url}/_sandbox/clock", order, timeout=10)
    assert (refused.status_code, list(refused.json())) == (400, ["error"])
    assert sandbox.control("GET", "/clock")["offset"] == 3600
    assert client.v1.customers.create({"name": "Acme"}).name == "Acme"


def test_the_clock_may_go_far_and_back(sandbox: Handle, client: stripe.StripeClient) -> None:
    for moment in ("9998-12-31T23:59:00+00:00", "1970-01-01T00:00:00+00:00", "2031-05-15T00:00:00+00:00"):
        sandbox.set_clock(moment)
        assert client.v1.customers.create({"name": moment}).name == moment
    sandbox.advance(-YEAR)
    assert 0 <= sandbox.control("GET", "/clock")["now"] - 1905033600 < 60  # May 2030


def test_the_clock_is_not_moved_when_what_is_due_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise RuntimeError("not today")

    made = Sandbox(Settings(), str(tmp_path / "state.sqlite3"))
    with monkeypatch.context() as patch:
        patch.setattr(later, "do_due", fail)
        with pytest.raises(RuntimeError), made.store.transaction():
            made.control.move_clock({"advance": 3600})
    assert made.clock.offset == 0
    assert made.store.note("clock", "offset") == {}
    made.store.close()
