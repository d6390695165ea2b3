"""Fixtures for every test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import hypothesis
import pytest
from django.db import connection
from django.test import TransactionTestCase
from playwright.sync_api import Browser, expect, sync_playwright

from tests.wire import _nothing_unknown_on_the_wire, _wire  # noqa: F401 - fixtures of every test

# A busy machine draws slowly; that says nothing about the code.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

expect.set_options(timeout=30_000)  # as Playwright's own actions wait; a page is not judged by its speed

_plain_teardown = TransactionTestCase._fixture_teardown


def _teardown_with_triggers_off(self: TransactionTestCase) -> None:
    """Between transactional tests Django truncates; our append-only triggers rightly refuse that."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    try:
        _plain_teardown(self)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = DEFAULT")


TransactionTestCase._fixture_teardown = _teardown_with_triggers_off  # type: ignore[method-assign]


def chromium() -> str:
    """Where Chromium is: as CHROMIUM says, else on the path. `make test` installs Debian's."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next((path for path in map(shutil.which, names) if path), None)
    assert found, "the browser tests need Chromium: apt-get install chromium, or set CHROMIUM"
    return found


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """One Chromium for the tests of a file, gone with them.

    While Playwright runs there is an event loop in this thread, and Django then keeps database connections
    apart by context (asgiref's Local); a loop that outlived its file left a later test's row locks behind.
    """
    quiet = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=quiet)
        yield browser
        browser.close()
