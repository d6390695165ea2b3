"""Parameter shapes that several resources share."""

from __future__ import annotations

from ..schema import Boolean, Choice, Hash, Integer, Listed, Metadata, Refused, Rule, Text

ADDRESS: Rule = Hash({name: Text() for name in ("city", "country", "line1", "line2", "postal_code", "state")})
_SHIP_TO: dict[str, Rule] = {"address": ADDRESS, "name": Text(), "phone": Text()}
SHIP_TO: Rule = Hash(_SHIP_TO)
SHIPPING: Rule = Hash({**_SHIP_TO, "carrier": Text(), "tracking_number": Text()})
BILLING_DETAILS: Rule = Hash(
    {"address": ADDRESS, "email": Text(512), "name": Text(), "phone": Text(), "tax_id": Text()}, unset=False
)
METADATA: Rule = Metadata()
CARD: Rule = Hash(
    {
        "number": Text(unset=False),
        "exp_month": Integer(),
        "exp_year": Integer(),
        "cvc": Text(),
        "token": Text(),
    },
    unset=False,
)
METHOD_DATA: dict[str, Rule] = {
    "type": Choice("card"),
    "card": CARD,
    "billing_details": BILLING_DETAILS,
    "allow_redisplay": Choice("always", "limited", "unspecified"),
    "metadata": METADATA,
}
PAYMENT_METHOD_DATA: Rule = Hash(METHOD_DATA, required=("type",), unset=False)
AUTOMATIC: Rule = Hash(
    {"enabled": Boolean(), "allow_redirects": Choice("always", "never")}, required=("enabled",), unset=False
)
# Stripe knows many more methods of payment; the sandbox has cards (and Link, which it never offers).
TYPES: Rule = Listed(Choice("card", "link"))
MANDATE_DATA: Rule = Hash(
    {
        "customer_acceptance": Hash(
            {
                "type": Choice("online", "offline"),
                "accepted_at": Integer(),
                "offline": Hash({}),
                "online": Hash(
                    {"ip_address": Text(unset=False), "user_agent": Text(unset=False)},
                    required=("ip_address", "user_agent"),
                ),
            },
            required=("type",),
            unset=False,
        )
    },
    required=("customer_acceptance",),
)
NO_TYPES: Rule = Refused(
    "The `payment_method_types` parameter is no longer supported on this API version. Use "
    "`allowed_payment_method_types` or `automatic_payment_methods` instead.",
    code="payment_method_types_no_longer_supported",
)

EMPTY_BILLING_DETAILS = {
    "address": {
        "city": None,
        "country": None,
        "line1": None,
        "line2": None,
        "postal_code": None,
        "state": None,
    },
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}


def fill_billing_details(
    given: dict[str, object] | None, old: dict[str, object] | None = None
) -> dict[str, object]:
    """All fields of billing details: `given` over `old` over nothing."""
    merged: dict[str, object] = {**EMPTY_BILLING_DETAILS, **(old or {}), **(given or {})}
    address = merged["address"] if isinstance(merged["address"], dict) else {}
    merged["address"] = {**EMPTY_BILLING_DETAILS["address"], **address}  # type: ignore[dict-item]
    return merged
