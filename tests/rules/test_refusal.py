"""What a refusal means, and that it always has words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.refusal import RefusalKind, explain, kind_of

HARD, CUSTOMER, SOFT = RefusalKind.HARD, RefusalKind.CUSTOMER, RefusalKind.SOFT


@pytest.mark.parametrize(
    ("advice", "decline", "code", "kind"),
    [
        # The issuer's advice decides before everything else.
        ("do_not_try_again", "insufficient_funds", "card_declined", HARD),
        ("try_again_later", "lost_card", "card_declined", SOFT),
        ("confirm_card_data", "generic_decline", "card_declined", CUSTOMER),
        # Then the decline code, before the error code.
        ("", "stolen_card", "card_declined", HARD),
        ("", "insufficient_funds", "card_declined", SOFT),
        ("", "generic_decline", "expired_card", SOFT),
        ("", "transaction_not_allowed", "card_declined", HARD),
        ("", "fraudulent", "card_declined", HARD),
        ("", "authentication_required", "authentication_required", HARD),
        # Then the error code.
        ("", "", "expired_card", CUSTOMER),
        ("", "", "incorrect_number", HARD),
        ("", "", "processing_error", SOFT),
        # What nobody knows is soft, and capped by the number of attempts.
        ("", "", "", SOFT),
        ("new_advice", "new_code", "card_declined", SOFT),
    ],
)
def test_advice_then_decline_code_then_code(advice: str, decline: str, code: str, kind: RefusalKind) -> None:
    assert kind_of(advice_code=advice, decline_code=decline, code=code) is kind


@pytest.mark.parametrize(
    "decline", ["lost_card", "stolen_card", "fraudulent", "pickup_card", "highest_risk_level"]
)
def test_what_the_holder_must_not_learn_reads_like_any_decline(decline: str) -> None:
    plain = explain(advice_code="do_not_try_again", decline_code="generic_decline", code="card_declined")
    assert explain(decline_code=decline, code="card_declined") == plain


CODES = st.sampled_from(
    ["", "card_declined", "insufficient_funds", "expired_card", "lost_card", "authentication_required"]
) | st.text(max_size=12)


@given(CODES, CODES, CODES)
def test_every_refusal_has_words_and_never_the_codes(advice: str, decline: str, code: str) -> None:
    refusal = explain(advice_code=advice, decline_code=decline, code=code)
    for text in (refusal.what_happened, refusal.what_to_do):
        assert text.endswith(".")
        assert "_" not in text
    assert refusal.same_card_may_work is (refusal.kind is not HARD)
    if refusal.kind is HARD:
        assert "another card" in refusal.what_to_do
