"""The test cards of docs.stripe.com/testing and how each behaves when saved and when charged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """Why a card is refused, in the fields of Stripe's card errors."""

    code: str
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None
    message: str | None = None
    blocked: bool = False

    def words(self) -> str:
        """Stripe's sentence for it."""
        return self.message or _MESSAGES.get(self.decline_code or "") or _MESSAGES.get(self.code) or _DECLINED


_DECLINED = "Your card was declined."
_MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
    "card_velocity_exceeded": "Your card was declined for making repeated attempts too frequently or "
    "exceeding "
    "its amount limit.",
    "card_not_supported": "Your card does not support this type of purchase.",
}
_SOFT, _FIX, _NEVER = "try_again_later", "confirm_card_data", "do_not_try_again"
GENERIC = Refusal("card_declined", "generic_decline", _SOFT, "01")
INSUFFICIENT = Refusal("card_declined", "insufficient_funds", _SOFT, "51")
LOST = Refusal("card_declined", "lost_card", _NEVER, "41")
STOLEN = Refusal("card_declined", "stolen_card", _NEVER, "43")
VELOCITY = Refusal("card_declined", "card_velocity_exceeded", _SOFT, "61")
EXPIRED = Refusal("expired_card", "expired_card", _FIX, "54")
CVC = Refusal("incorrect_cvc", "incorrect_cvc", _FIX, "N7")
PROCESSING = Refusal("processing_error", "processing_error", _SOFT, "96")
NUMBER = Refusal("incorrect_number", "incorrect_number", _FIX, "14")
AUTHENTICATION = Refusal("authentication_required", "authentication_required", None, "1A")
# The account behind the card was closed (46 is Visa's answer for that).
ACCOUNT_CLOSED = Refusal("card_declined", "invalid_account", _NEVER, "46")
RADAR = Refusal("card_declined", "fraudulent", None, None, blocked=True)

# When a cardholder must prove who they are: never; unless the card was set up; always; only when present.
NEVER, UNLESS_SET_UP, ALWAYS, ON_SESSION = "never", "unless_set_up", "always", "on_session"


@dataclass(frozen=True)
class TestCard:
    """`attach` refuses the card when it is saved; `charge` when it is charged.

    `then` is what follows a charge that succeeded, a name in later.ACTIONS.
    """

    __test__ = False

    number: str
    token: str | None
    brand: str = "visa"
    attach: Refusal | None = None
    charge: Refusal | None = None
    authentication: str = NEVER
    setup_challenge: bool = False
    refund: str | None = None
    then: str | None = None
    country: str = "US"


def _refused(number: str, token: str, refusal: Refusal) -> TestCard:
    return TestCard(number, token, attach=refusal, charge=refusal)


CARDS: tuple[TestCard, ...] = (
    TestCard("4242424242424242", "pm_card_visa"),
    TestCard("4000056655665556", "pm_card_visa_debit"),
    TestCard("5555555555554444", "pm_card_mastercard", "mastercard"),
    TestCard("378282246310005", "pm_card_amex", "amex"),
    TestCard("6011111111111117", "pm_card_discover", "discover"),
    TestCard("4000000000000341", "pm_card_chargeCustomerFail", charge=GENERIC),
    TestCard(
        "4000002500003155",
        "pm_card_authenticationRequiredOnSetup",
        authentication=UNLESS_SET_UP,
        setup_challenge=True,
    ),
    TestCard(
        "4000002760003184", "pm_card_authenticationRequired", authentication=ALWAYS, setup_challenge=True
    ),
    TestCard(
        "4000003800000446", "pm_card_authenticationRequiredSetupForOffSession", authentication=ON_SESSION
    ),
    TestCard(
        "4000008260003178",
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        charge=INSUFFICIENT,
        authentication=ON_SESSION,
        setup_challenge=True,
    ),
    _refused("4000000000000002", "pm_card_visa_chargeDeclined", GENERIC),
    _refused("4000000000009995", "pm_card_visa_chargeDeclinedInsufficientFunds", INSUFFICIENT),
    _refused("4000000000009987", "pm_card_visa_chargeDeclinedLostCard", LOST),
    _refused("4000000000009979", "pm_card_visa_chargeDeclinedStolenCard", STOLEN),
    _refused("4000000000006975", "pm_card_visa_chargeDeclinedVelocityLimitExceeded", VELOCITY),
    _refused("4000000000000069", "pm_card_chargeDeclinedExpiredCard", EXPIRED),
    _refused("4000000000000127", "pm_card_chargeDeclinedIncorrectCvc", CVC),
    _refused("4000000000000119", "pm_card_chargeDeclinedProcessingError", PROCESSING),
    TestCard("4100000000000019", "pm_card_radarBlock", charge=RADAR),
    TestCard("4000000000000259", "pm_card_createDispute", then="disputed_as_fraudulent"),
    TestCard("4000000000002685", "pm_card_createDisputeProductNotReceived", then="disputed_as_not_received"),
    TestCard("4000000000001976", "pm_card_createDisputeInquiry", then="inquired"),
    TestCard("4000000000005423", None, then="warned"),
    TestCard("4000000000007726", None, refund="pending"),
    TestCard("4000000000005126", "pm_card_refundFail", refund="fails"),
)
_DEBIT = {"4000056655665556"}
BY_NUMBER = {card.number: card for card in CARDS}
# The names Stripe's documentation uses, with and without the brand in them.
BY_TOKEN = {card.token: card for card in CARDS if card.token}
BY_TOKEN.update(
    {
        name.replace("pm_card_visa_", "pm_card_"): card
        for name, card in list(BY_TOKEN.items())
        if name.startswith("pm_card_visa_")
    }
)
TOKENS = {name.replace("pm_card_", "tok_"): card for name, card in BY_TOKEN.items()}


def find(number: str) -> TestCard:
    """The test card with this number; one without a row of its own behaves like 4242 of its brand."""
    return BY_NUMBER.get(number) or TestCard(number, None, brand_of(number))


def passes_luhn(number: str) -> bool:
    """The check digit every card number ends with."""
    digits = [int(digit) for digit in number]
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return total % 10 == 0


def brand_of(number: str) -> str:
    """The network from a number's first digits."""
    if number.startswith("4"):
        return "visa"
    if number[:2] in ("34", "37"):
        return "amex"
    if "51" <= number[:2] <= "55" or "2221" <= number[:4] <= "2720":
        return "mastercard"
    if number[:4] == "6011" or number[:2] == "65":
        return "discover"
    return "unknown"


def card_details(card: TestCard, exp_month: int, exp_year: int) -> dict[str, Any]:
    """The `card` hash of a payment method."""
    brand = card.brand
    return {
        "brand": brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": card.country,
        "display_brand": "american_express" if brand == "amex" else brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": fingerprint(card.number),
        "funding": "debit" if card.number in _DEBIT else "credit",
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def fingerprint(number: str) -> str:
    """The same text for the same number, from which the number cannot be read."""
    return hashlib.sha256(b"sandbox card " + number.encode()).hexdigest()[:16]
