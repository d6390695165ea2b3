"""Two companies that calls belong to."""

from __future__ import annotations

import pytest

from callbill.domain.customers.models import Company


@pytest.fixture
def companies(db: None) -> dict[str, Company]:
    """Acme and Borealis, by key."""
    return {key: Company.objects.create(key=key, name=key.title()) for key in ("acme", "borealis")}
