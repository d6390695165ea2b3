"""Stories run on the same sandbox and shop as the tests of payments."""

from __future__ import annotations

from tests.domain.payments.conftest import one_sandbox, sandbox, shop

__all__ = ["one_sandbox", "sandbox", "shop"]
