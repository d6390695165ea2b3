"""Letting staff in, and nobody else: to everyone else the console does not exist."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from callbill.domain.customers.queries import NotFound, Viewer, viewer_of

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Viewer, P], HttpResponseBase]


def staff_page(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Give the view its viewer. Whoever is not staff gets the same 404 as for a page that is not there."""

    @wraps(view)
    def entered(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        viewer = viewer_of(_person(request))
        if not viewer.is_staff:
            raise Http404("There is no such page.")
        try:
            return view(request, viewer, *args, **kwargs)
        except NotFound as missing:
            raise Http404(str(missing)) from missing

    return never_cache(entered)


def page_number(request: HttpRequest) -> int:
    """The `page` of the address; 1 for anything that is not a positive whole number."""
    text = request.GET.get("page", "1")
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _person(request: HttpRequest) -> Any:
    """The signed-in user (LoginRequiredMiddleware let nobody else come here)."""
    return request.user
