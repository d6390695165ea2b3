"""The demo's mailbox: the mails that would have been sent. Not there in production."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.gateways.email import NoSuchMail, list_mailbox, read_mailbox


def _demo_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Open to everybody, because a password reset is read before signing in; a 404 in production."""

    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if settings.CALLBILL_MODE == "production" or settings.MAIL_DELIVERY == "smtp":
            raise Http404("The mailbox is a part of the demo.")
        try:
            return view(request, *args, **kwargs)
        except NoSuchMail as missing:
            raise Http404(str(missing)) from missing

    return login_not_required(require_safe(entered))


@_demo_only
def mailbox(request: HttpRequest) -> HttpResponse:
    """The letters, newest first."""
    return render(request, "portal/mailbox.html", {"mails": list_mailbox(_folder())})


@_demo_only
def letter(request: HttpRequest, mail_id: str) -> HttpResponse:
    """One letter as text, with its files."""
    return render(request, "portal/letter.html", {"mail": read_mailbox(_folder(), mail_id)})


@_demo_only
def file(request: HttpRequest, mail_id: str, position: int) -> HttpResponse:
    """A file of a letter, always as a download."""
    files = read_mailbox(_folder(), mail_id).files
    if position >= len(files):
        raise Http404("The letter has no such file.")
    wanted = files[position]
    answer = HttpResponse(wanted.content, content_type=wanted.mime_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{_plain(wanted.filename)}"'
    return answer


def _plain(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def _folder() -> Path:
    return Path(settings.MAILBOX_DIR)
