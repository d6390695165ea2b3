"""What a refusal means, and that it always has words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.refusal import _BY_CODE, RefusalKind, explain, kind_of

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


# Every decline code of docs.stripe.com/declines/codes with the kind it has here, the deprecated ones too.
EVERY_CODE = """
approve_with_id soft                         authentication_required hard
call_issuer soft                             card_not_supported customer
card_velocity_exceeded soft                  currency_not_supported customer
do_not_honor soft                            do_not_try_again hard
duplicate_transaction soft                   expired_card customer
fraudulent hard                              generic_decline soft
highest_risk_level hard                      incorrect_address customer
incorrect_cvc customer                       incorrect_number hard
incorrect_pin customer                       incorrect_zip customer
insufficient_funds soft                      invalid_account customer
invalid_amount customer                      invalid_cvc customer
invalid_expiry_month customer                invalid_expiry_year customer
invalid_number hard                          invalid_pin customer
issuer_not_available soft                    lost_card hard
merchant_blacklist hard                      mobile_device_authentication_required customer
new_account_information_available customer   no_action_taken soft
not_permitted customer                       offline_pin_required customer
online_or_offline_pin_required customer      pickup_card hard
pin_try_exceeded customer                    processing_error soft
reenter_transaction soft                     restricted_card customer
revocation_of_all_authorizations hard        revocation_of_authorization hard
security_violation customer                  service_not_allowed customer
stolen_card hard                             stop_payment_order hard
testmode_decline customer                    transaction_not_allowed hard
try_again_later soft                         withdrawal_count_limit_exceeded soft
"""
_WORDS = EVERY_CODE.split()
KINDS = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
# Of which the page says to show nothing but a plain decline, and those that say nothing themselves.
PLAIN = {
    *("call_issuer", "do_not_honor", "do_not_try_again", "fraudulent", "generic_decline", "invalid_amount"),
    *("highest_risk_level", "lost_card", "merchant_blacklist", "no_action_taken", "not_permitted"),
    *("pickup_card", "revocation_of_all_authorizations", "revocation_of_authorization", "stolen_card"),
    *("security_violation", "service_not_allowed", "stop_payment_order", "testmode_decline"),
    "transaction_not_allowed",
}


def test_the_list_is_whole() -> None:
    assert len(KINDS) == 50
    assert set(KINDS) > PLAIN


@pytest.mark.parametrize(("decline", "kind"), KINDS.items())
def test_every_decline_code_has_its_kind_and_words(decline: str, kind: str) -> None:
    assert decline in _BY_CODE, "it must be named, not taken for a code that nobody knows"
    refusal = explain(decline_code=decline, code="card_declined")
    assert refusal.kind is RefusalKind(kind)
    plain = explain(decline_code="generic_decline", code="card_declined").what_happened
    assert (refusal.what_happened == plain) is (decline in PLAIN)
    assert refusal.same_card_may_work is (kind != "hard")


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
