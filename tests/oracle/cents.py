"""Rounding and sharing, as on paper."""

from __future__ import annotations

from fractions import Fraction
from math import floor

DECIMALS = {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KRW": 0, "CLP": 0, "KWD": 3, "BHD": 3, "TND": 3}


def whole(value: Fraction) -> int:
    """The nearest whole number, half away from zero (M2)."""
    if value < 0:
        return -whole(-value)
    number = int(value)  # cuts off
    return number + 1 if value - number >= Fraction(1, 2) else number


def rounded(value: Fraction, decimals: int) -> Fraction:
    """The value with so many decimals, half away from zero."""
    return Fraction(whole(value * 10**decimals), 10**decimals)


def minor(major: Fraction, currency: str) -> int:
    """Minor units of an amount in major units."""
    return whole(major * 10 ** DECIMALS[currency])


def largest_remainder(total: int, parts: list[Fraction]) -> list[int]:
    """Whole numbers near the parts that add up to the total, handed out one by one (M3).

    A negative sum is shared like the positive one, and the signs turned.
    """
    if sum(parts) < 0:
        return [-share for share in largest_remainder(-total, [-part for part in parts])]
    shares = [floor(part) for part in parts]
    remainders = [part - floor(part) for part in parts]
    while sum(shares) < total:
        winner = remainders.index(max(remainders))
        shares[winner] += 1
        remainders[winner] = Fraction(-1)
    return shares


def share_out(total: int, weights: list[Fraction]) -> list[int]:
    """The total in proportion to the weights; equal weights if nobody weighs anything."""
    if sum(weights) == 0:
        weights = [Fraction(1)] * len(weights)
    return largest_remainder(total, [total * weight / sum(weights) for weight in weights])
