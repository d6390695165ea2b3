"""What every page knows: the seller, and whether this is a demo."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from callbill.domain.customers import queries as customers


def seller_and_viewer(request: HttpRequest) -> dict[str, Any]:
    """The seller for header and footer; `demo` where mails land in the mailbox page."""
    demo = settings.CALLBILL_MODE != "production" and settings.MAIL_DELIVERY == "mailbox"
    return {"seller": customers.seller(), "demo": demo}
