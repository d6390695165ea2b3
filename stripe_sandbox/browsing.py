"""One page of a long list for a person's eyes."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from . import pages
from .messages import Request
from .pages import Markup
from .storage import Document, Store

PER_PAGE = 25


def page_of(store: Store, kind: str, request: Request) -> tuple[list[Document], Markup]:
    """Objects of a kind, newest first, from where the address says, and the link to older ones."""
    after = parse_qs(request.query).get("after", [""])[0]
    position = store.position(kind, after) if after else None
    where = [("seq < ?", position[1])] if position else []
    found = store.select(kind, where, limit=PER_PAGE + 1)
    if len(found) <= PER_PAGE:
        return found, Markup("")
    return found[:PER_PAGE], pages.older(f"{request.path}?after={quote(found[PER_PAGE - 1]['id'])}")
