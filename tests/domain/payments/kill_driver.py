"""Run by test_killed and test_refunds: charges or refunds one thing after another, each in a fork that dies.

The product has no hook for this. What can end a charge is counted from outside: every commit and every
request to the gateway, before and after it. Reads scenarios as JSON from stdin, writes exit codes to stdout.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

DIED = 137


def _dying(plain: Callable[..., Any], counter: list[int], number: int, when: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        counter[0] += 1
        mine = counter[0] == number
        if mine and when == "before":
            os._exit(DIED)
        result = plain(*args, **kwargs)
        if mine and when == "after":
            os._exit(DIED)
        return result

    return call


def _charge(scenario: dict[str, Any]) -> None:
    import stripe
    from django.db.backends.base.base import BaseDatabaseWrapper

    from callbill.domain.payments import operations
    from callbill.domain.payments.operations import _collecting

    counter = [0]
    number, when = scenario["number"], scenario["when"]
    BaseDatabaseWrapper.commit = _dying(BaseDatabaseWrapper.commit, counter, number, when)  # type: ignore[method-assign]
    stripe.RequestsClient.request = _dying(stripe.RequestsClient.request, counter, number, when)  # type: ignore[method-assign]
    now = datetime.fromisoformat(scenario["now"])
    if "note" in scenario:
        operations.refund_to_card(
            note_id=UUID(scenario["note"]), actor_id=UUID(scenario["actor"]), reason="They asked", now=now
        )
        return
    _collecting._collect(_collecting.Collected(), scenario["invoice"], "issue", now)


def main() -> None:
    """Fork for each scenario; everything is imported and nothing is open before a fork."""
    import django

    django.setup()
    from django.conf import settings

    from callbill.domain.payments.operations import _collecting  # noqa: F401
    from callbill.gateways.stripe import gateway  # noqa: F401

    for name, value in json.loads(os.environ["KILL_SETTINGS"]).items():
        setattr(settings, name, value)
    codes = []
    for scenario in json.load(sys.stdin):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _charge(scenario)
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    json.dump(codes, sys.stdout)


if __name__ == "__main__":
    main()
