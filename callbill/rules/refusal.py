"""What a refused charge means: which kind it is, and the plain words for it (M27, M28).

The issuer's advice decides first, then the decline code, then the error code (docs.stripe.com/declines).
One table of words serves portal, e-mail and console. A card reported lost or stolen, or taken for fraud, is
shown as a plain decline: whoever holds the card must not learn more from us.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusalKind(StrEnum):
    """How a refusal can be overcome."""

    HARD = "hard"  # never this card again for this invoice
    CUSTOMER = "customer"  # somebody must put the card right
    SOFT = "soft"  # may work another time


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal in plain words. Both sentences are written to the customer."""

    kind: RefusalKind
    what_happened: str
    what_to_do: str

    @property
    def same_card_may_work(self) -> bool:
        """True if trying the same card again makes sense."""
        return self.kind is not RefusalKind.HARD


_ADVICE = {
    "do_not_try_again": RefusalKind.HARD,
    "confirm_card_data": RefusalKind.CUSTOMER,
    "try_again_later": RefusalKind.SOFT,
}

# Stripe's own list of declines that are never retried, and its names for fraud.
_HARD = (
    "incorrect_number",
    "invalid_number",
    "lost_card",
    "pickup_card",
    "stolen_card",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
    "authentication_required",
    "highest_risk_level",
    "transaction_not_allowed",
    "fraudulent",
    "merchant_blacklist",
    "stop_payment_order",
    "do_not_try_again",
    "fraud",
)

_CUSTOMER = (
    "expired_card",
    "incorrect_cvc",
    "invalid_cvc",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "incorrect_zip",
    "incorrect_address",
    "card_not_supported",
    "currency_not_supported",
    "invalid_account",
    "new_account_information_available",
    "restricted_card",
    "not_permitted",
    "security_violation",
    "service_not_allowed",
    "testmode_decline",
    "invalid_amount",
    "payment_intent_authentication_failure",
    "mobile_device_authentication_required",
    "incorrect_pin",
    "invalid_pin",
    "pin_try_exceeded",
    "offline_pin_required",
    "online_or_offline_pin_required",
)

# Named although unknown codes are soft, too: what is not here is a code that this page does not know.
_SOFT = (
    "insufficient_funds",
    "card_velocity_exceeded",
    "withdrawal_count_limit_exceeded",
    "processing_error",
    "issuer_not_available",
    "try_again_later",
    "reenter_transaction",
    "approve_with_id",
    "duplicate_transaction",
    "card_decline_rate_limit_exceeded",
    "do_not_honor",
    "generic_decline",
    "call_issuer",
    "no_action_taken",
    "card_declined",
)

_BY_CODE: dict[str, RefusalKind] = {
    **dict.fromkeys(_HARD, RefusalKind.HARD),
    **dict.fromkeys(_CUSTOMER, RefusalKind.CUSTOMER),
    **dict.fromkeys(_SOFT, RefusalKind.SOFT),
}

_DECLINED = "The bank declined the payment."
_NUMBER = "The card number is not right."
_CVC = "The security code of the card is not right."
_EXPIRY = "The expiry date of the card is not right."
_PIN = "The card can only be used with its PIN."
_LIMIT = "The card has reached its spending limit."
_LATER = "The bank could not process the payment just then."
_ACCOUNT = "The bank says that this card can no longer be used."
_CONFIRM = "The bank wants the cardholder to confirm this payment, and that has not happened yet."
_NOT_CONFIRMED = "The confirmation at the bank did not succeed, and nothing was charged."

_HAPPENED: dict[str, str] = {
    "insufficient_funds": "There was not enough money available on the card.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": _CVC,
    "invalid_cvc": _CVC,
    "incorrect_number": _NUMBER,
    "invalid_number": _NUMBER,
    "invalid_expiry_month": _EXPIRY,
    "invalid_expiry_year": _EXPIRY,
    "incorrect_zip": "The postal code given for the card is not right.",
    "incorrect_address": "The address given for the card is not right.",
    "card_velocity_exceeded": _LIMIT,
    "withdrawal_count_limit_exceeded": _LIMIT,
    "card_not_supported": "The card does not allow this kind of payment.",
    "currency_not_supported": "The card cannot be charged in this currency.",
    "invalid_account": _ACCOUNT,
    "new_account_information_available": _ACCOUNT,
    "restricted_card": _ACCOUNT,
    "card_decline_rate_limit_exceeded": "The card was tried too often; the bank takes no more tries today.",
    "duplicate_transaction": "The bank took the payment for a repetition of an earlier one.",
    "incorrect_pin": _PIN,
    "invalid_pin": _PIN,
    "pin_try_exceeded": _PIN,
    "offline_pin_required": _PIN,
    "online_or_offline_pin_required": _PIN,
    "approve_with_id": _LATER,
    "processing_error": _LATER,
    "issuer_not_available": _LATER,
    "try_again_later": _LATER,
    "reenter_transaction": _LATER,
    "authentication_required": _CONFIRM,
    "mobile_device_authentication_required": _CONFIRM,
    "payment_intent_authentication_failure": _NOT_CONFIRMED,
}

_TO_DO = {
    RefusalKind.HARD: (
        "Add another card and make it the default; we do not charge this one again for this invoice."
    ),
    RefusalKind.CUSTOMER: "Check the card, then add it again with the right details, or add another card.",
    RefusalKind.SOFT: "Make sure that the card can be charged, or add another card.",
}
_TO_DO_FOR = {
    "expired_card": "Add your new card and make it the default.",
    "insufficient_funds": "Make sure that there is enough money on the card, or add another card.",
    "card_not_supported": "Add another card and make it the default.",
    "currency_not_supported": "Add another card and make it the default.",
    "payment_intent_authentication_failure": "Confirm the payment again, or use another card.",
}
_TO_DO_TO_CONFIRM = "Confirm the payment with your bank, or add another card and make it the default."


def kind_of(*, advice_code: str = "", decline_code: str = "", code: str = "") -> RefusalKind:
    """The kind of a refusal: by advice code, then decline code, then code; unknown ones are soft."""
    if advice_code in _ADVICE:
        return _ADVICE[advice_code]
    if decline_code and decline_code != code:
        return _BY_CODE.get(decline_code, RefusalKind.SOFT)
    return _BY_CODE.get(decline_code or code, RefusalKind.SOFT)


def explain(*, advice_code: str = "", decline_code: str = "", code: str = "") -> Refusal:
    """The refusal with its words. Every combination of codes, also unknown ones, has an answer."""
    kind = kind_of(advice_code=advice_code, decline_code=decline_code, code=code)
    named = decline_code if decline_code in _HAPPENED else code
    if named == "authentication_required":
        to_do = _TO_DO_TO_CONFIRM
    else:
        to_do = _TO_DO[kind] if kind is RefusalKind.HARD else _TO_DO_FOR.get(named, _TO_DO[kind])
    return Refusal(kind, _HAPPENED.get(named, _DECLINED), to_do)
