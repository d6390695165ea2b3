"""Letting a customer's person in: who looks, and how the domain's refusals become answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache

from callbill.domain.customers.queries import NotAllowed, NotFound, viewer_of


def customers_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Give the view its viewer. Staff go to the console; not found is 404, not allowed is 403."""

    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        viewer = viewer_of(_person(request))
        if viewer.is_staff:
            number = kwargs.get("number")
            return redirect(f"/console/invoices/{number}/" if number else "/console/")
        try:
            return view(request, viewer, *args, **kwargs)
        except NotFound as missing:
            raise Http404(str(missing)) from missing
        except NotAllowed as refusal:
            raise PermissionDenied(str(refusal)) from refusal

    return never_cache(entered)


def asked(request: HttpRequest, name: str) -> str:
    """What the address says after `name=`, trimmed to 100 characters; PostgreSQL's text has no NUL."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:100]


def page_number(request: HttpRequest) -> int:
    """The `page` of the address; 1 for anything that is not a positive whole number."""
    text = asked(request, "page") or "1"
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _person(request: HttpRequest) -> Any:
    """The signed-in user (LoginRequiredMiddleware let nobody else come here)."""
    return request.user
