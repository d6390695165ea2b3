"""Who it is that asks, when a proxy with TLS stands in front."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def take_the_visitor_from_the_proxy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: let REMOTE_ADDR be whom the proxy has spoken to, instead of the proxy.

    Kept with what was agreed to when a card is saved, and counted by the limit of wrong passwords. Only the
    last address of X-Forwarded-For is believed, the one that the proxy added itself: whoever asks can write
    the ones before it. Without a proxy (settings.BEHIND_PROXY) nothing of the header is.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        if settings.BEHIND_PROXY:
            said = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
            with suppress(ValueError):  # nothing, or no address: the proxy's is all that is known
                request.META["REMOTE_ADDR"] = str(ip_address(said))
        return get_response(request)

    return answer
