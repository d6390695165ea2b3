"""What a world makes use of, so that a run can say how often each thing was compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.oracle.world import World


def _usage(test: Callable[[dict[str, Any]], object]) -> Callable[[World], bool]:
    return lambda world: any(test(charge) for charge in world.contract["usage"])


def _fee(test: Callable[[dict[str, Any]], object]) -> Callable[[World], bool]:
    return lambda world: any(test(fee) for fee in world.contract["fee"])


def _discount(key: str) -> Callable[[World], bool]:
    return lambda world: any(key in said for said in world.contract["discount"])


def _by(way: str) -> Callable[[World], bool]:
    return _fee(lambda fee: isinstance(fee.get("quantity"), dict) and fee["quantity"]["by"] == way)


def _billable(key: str) -> Callable[[World], bool]:
    return lambda world: key in world.contract.get("billable", {})


def _tiers(mode: str) -> Callable[[World], bool]:
    return _usage(lambda charge: "tiers" in charge and charge.get("tier_mode", "graduated") == mode)


def _treated(kind: str) -> Callable[[World], bool]:
    return lambda world: bool(world.treatment) and world.treatment["kind"] == kind


def _minimum(key: str) -> Callable[[World], bool]:
    return lambda world: bool(world.contract.get("minimum", {}).get(key))


SCOPES = ("direction", "service", "queue", "number", "prefix", "weekdays", "from", "holidays")

FEATURES: dict[str, Callable[[World], bool]] = {
    "rate per call": _usage(lambda charge: "rate" in charge and charge["unit"] == "call"),
    "rate per minute": _usage(lambda charge: "rate" in charge and charge["unit"] == "minute"),
    "increments": _usage(lambda charge: "increments" in charge),
    "handle time": _usage(lambda charge: charge.get("basis") == "handle"),
    "graduated tiers": _tiers("graduated"),
    "volume tiers": _tiers("volume"),
    "flat per tier": _usage(lambda charge: any("flat" in tier for tier in charge.get("tiers", []))),
    "packages": _usage(lambda charge: "package" in charge),
    "included units": _usage(lambda charge: "included" in charge),
    "connection fee": _usage(lambda charge: "connection_fee" in charge),
    "round each call": _usage(lambda charge: "round_each_call" in charge),
    "floor of a charge": _usage(lambda charge: "minimum" in charge),
    "cap of a charge": _usage(lambda charge: "maximum" in charge),
    "prorated charge in a part": lambda world: (
        world.part is not None and any(charge.get("prorate") for charge in world.contract["usage"])
    ),
    **{f"scope: {key}": _usage(lambda charge, key=key: key in charge.get("scope", {})) for key in SCOPES},
    "dispositions": _billable("dispositions"),
    "ended_at places calls": lambda world: world.contract.get("billable", {}).get("anchor") == "ended_at",
    "shortest talk": _billable("min_talk_seconds"),
    "excluded flags": _billable("exclude_flags"),
    "cap on flags": _billable("exclude_cap_percent"),
    "free short calls": _billable("free_short_calls"),
    "test numbers": _billable("test_numbers"),
    "monthly fee in advance": _fee(lambda fee: fee.get("when") == "advance"),
    "monthly fee in arrears": _fee(lambda fee: fee.get("when") == "arrears"),
    "set-up fee": lambda world: bool(world.once),
    "prorated fee in a part": lambda world: (
        world.part is not None and any(fee.get("prorate") for fee in world.contract["fee"])
    ),
    **{f"quantity: {way}": _by(way) for way in ("fixed", "maximum", "average", "end")},
    "monthly minimum": _minimum("amount"),
    "minimum of named charges": _minimum("counts"),
    "prorated minimum": _minimum("prorate"),
    "discount by percent": _discount("percent"),
    "discount by amount": _discount("amount"),
    "dated discount": lambda world: _discount("from")(world) or _discount("until")(world),
    "several discounts": lambda world: len(world.contract["discount"]) > 1,
    "tax on top": lambda world: _behavior(world) == "exclusive",
    "tax inside": lambda world: _behavior(world) == "inclusive",
    "several rates": lambda world: len(world.contract["tax"]["rate"]) > 1,
    "exempt": _treated("exempt"),
    "reverse charge": _treated("reverse_charge"),
    "adjustments": lambda world: any(company["adjustments"] for company in world.companies),
    "part of a period": lambda world: world.part is not None,
    "several companies": lambda world: len(world.companies) > 1,
    "pooled charge": lambda world: len(world.companies) > 1 and _usage(lambda c: c.get("pooled"))(world),
    **{
        f"currency {code}": lambda world, code=code: world.contract["currency"] == code
        for code in ("USD", "EUR", "JPY", "KWD")
    },
}


def _behavior(world: World) -> str | None:
    said = world.contract["tax"]
    return said.get("behavior", "exclusive") if said["rate"] else None


def features_of(world: World) -> list[str]:
    """The names of all it makes use of."""
    return [name for name, there in FEATURES.items() if there(world)]
