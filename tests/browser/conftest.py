"""A real Chromium on the running product, with a sandbox and webhooks, and axe at hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from playwright.sync_api import Browser, BrowserContext, Page, expect

from callbill.domain.payments import gateway
from callbill.jobs import work
from callbill.lib import clock
from stripe_sandbox.handle import Handle
from stripe_sandbox.server import running

PASSWORD = "correct horse battery"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def browser_sandbox() -> Iterator[Handle]:
    """One sandbox for all tests."""
    with running(webhook_retries=(0.2, 0.5)) as handle:
        yield handle


class World:
    """The running product as a person meets it: pages, mails, and time passing."""

    def __init__(self, chrome: Browser, address: str, sandbox: Handle) -> None:
        self.address = address
        self.sandbox = sandbox
        self._chrome = chrome
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def at(self, text: str) -> datetime:
        """Let it be this moment, here and at Stripe; then let an hour's work happen."""
        moment = datetime.fromisoformat(text + "+00:00")
        clock.move_to(moment)
        self.sandbox.set_clock(moment.isoformat())
        work.bill_and_collect(now=clock.now(), trigger="schedule")
        self.catch_up()
        return moment

    def catch_up(self) -> None:
        """What the worker does every minute, after the webhooks have come in."""
        self.sandbox.wait_for_deliveries()
        work.catch_up(now=clock.now())

    def stranger(self, **context: Any) -> Page:
        """A browser of somebody who is not signed in."""
        opened = self._chrome.new_context(base_url=self.address, **context)
        self._contexts.append(opened)
        page = opened.new_page()
        opened.on("page", self._listen)
        self._listen(page)
        return page

    def sign_in(self, email: str, **context: Any) -> Page:
        """A browser of their own for somebody, signed in through the form."""
        page = self.stranger(**context)
        page.goto("/account/login/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        return page

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: message.type == "error" and self.complaints.append(f"{page.url}: {message.text}"),
        )

    def fill_in_card(self, page: Page, number: str, expiry: str = "12 / 34") -> None:
        """Type a card into Stripe's frame and save it."""
        frame = page.frame_locator('iframe[title="Secure card form"]')
        frame.locator('[name="number"]').fill(number)
        frame.locator('[name="expiry"]').fill(expiry)
        frame.locator('[name="cvc"]').fill("1234" if number.startswith("37") else "123")
        page.get_by_role("button", name="Save card").click()

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def world(chrome: Browser, browser_sandbox: Handle, live_server: Any, settings: Any) -> Iterator[World]:
    """The product on a port, pointed at an empty sandbox that tells it what happens."""
    settings.STRIPE_API_BASE = browser_sandbox.url
    settings.STRIPE_SECRET_KEY = browser_sandbox.secret_key
    settings.STRIPE_PUBLISHABLE_KEY = browser_sandbox.publishable_key
    settings.STRIPE_WEBHOOK_SECRETS = [browser_sandbox.webhook_secret]
    settings.STRIPE_JS_URL = f"{browser_sandbox.url}/endive/stripe.js"
    settings.CALLBILL_BASE_URL = live_server.url
    shutil.rmtree(Path(django_settings.MAILBOX_DIR), ignore_errors=True)
    gateway._made.cache_clear()
    browser_sandbox.reset()
    browser_sandbox.set_webhook(f"{live_server.url}/webhooks/stripe/", browser_sandbox.webhook_secret)
    made = World(chrome, live_server.url, browser_sandbox)
    yield made
    made.close()
    browser_sandbox.set_webhook(None)
    clock.back_to_real_time()
    gateway._made.cache_clear()
    assert made.complaints == [], "the browser's console has no errors (CSP violations are errors)"


def assert_accessible(page: Page) -> None:
    """axe finds nothing in light and dark, and nothing sticks out at 320 px."""
    size = page.viewport_size
    for scheme in ("light", "dark"):
        # Without motion, so that axe does not meet colours half-way.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        results = Axe().run(page, options={"runOnly": {"type": "tag", "values": _RULES}})
        assert results.violations_count == 0, f"{page.url} ({scheme}): {results.generate_report()}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 320, "height": 700})
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{page.url} sticks out by {wide} px at 320 px"
    assert size is not None
    page.set_viewport_size(size)
