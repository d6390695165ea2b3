"""Amounts: whole minor units and an ISO 4217 currency (M1), rounding (M2) and sharing (M3).

No float enters or leaves. Sums are integers; everything between is an exact `Fraction`; `round_half_away`
is the only place where a fraction becomes an amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

_TWO_DECIMALS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL
HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR
MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK
SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD
XCD XCG YER ZAR ZMW ZWG
"""
_OTHER_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENTS: dict[str, int] = dict.fromkeys(_TWO_DECIMALS.split(), 2) | {
    code: places for places, codes in _OTHER_DECIMALS.items() for code in codes.split()
}
"""ISO 4217 list one: decimals of the minor unit. Codes without one (XAU, XDR, XXX) cannot be billed."""

_PLAIN_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


class UnknownCurrency(ValueError):
    """The code is not an ISO 4217 currency with a minor unit."""


class CurrencyMismatch(TypeError):
    """Two amounts of different currencies met (M1)."""


def exponent(currency: str) -> int:
    """Decimals of the currency's minor unit: USD 2, JPY 0, KWD 3. Raises UnknownCurrency."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(
            f"{currency!r} is not an ISO 4217 currency code; write three capital letters such as USD"
        ) from None


def round_half_away(value: Fraction | Decimal) -> int:
    """The nearest whole number; exactly half goes away from zero: 2.5 -> 3, -2.5 -> -3 (M2)."""
    exact = Fraction(value)
    doubled, unit = 2 * abs(exact.numerator), exact.denominator
    whole = (doubled + unit) // (2 * unit)
    return whole if exact >= 0 else -whole


def to_minor(major: Fraction | Decimal, currency: str) -> int:
    """Minor units of an exact amount in major units, rounded once, half away from zero (M2).

    1027.345 USD -> 102735. Raises UnknownCurrency.
    """
    return round_half_away(Fraction(major) * 10 ** exponent(currency))


def to_major(minor: int, currency: str) -> Decimal:
    """Major units of an amount, with all decimals of its currency: 149900 USD -> Decimal('1499.00')."""
    digits = tuple(int(digit) for digit in str(abs(minor)))
    # Built from digits because Decimal arithmetic would round to the context's 28 places.
    return Decimal((1 if minor < 0 else 0, digits, -exponent(currency)))


def plain(minor: int, currency: str) -> str:
    """The amount as a plain decimal string in major units: -5 USD -> "-0.05"."""
    places = exponent(currency)
    digits = f"{abs(minor):0{places + 1}}"
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{text}" if minor < 0 else text


def round_parts(parts: Sequence[Fraction]) -> list[int]:
    """Whole numbers close to `parts` whose sum is the rounded sum of `parts` (largest remainder, M3).

    Parts may have any sign. Each result is its part rounded down or up, a whole part stays as it is, equal
    remainders favour the first, and parts of the opposite sign give results of the opposite sign.
    """
    total = sum(parts, Fraction(0))
    if total < 0:
        return [-part for part in round_parts([-part for part in parts])]
    results = [part.numerator // part.denominator for part in parts]
    missing = round_half_away(total) - sum(results)
    by_remainder = sorted(range(len(parts)), key=lambda index: results[index] - parts[index])
    for index in by_remainder[:missing]:
        results[index] += 1
    return results


def share(total: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Split `total` in proportion to `weights` by largest remainder; the shares add up to it (M3, M18).

    Weights are not negative; a weight of zero gets nothing, unless all are zero: then all count alike.
    Equal remainders favour the first. Raises ValueError for a negative weight, or if there is nobody to
    share an amount other than zero.
    """
    exact = [Fraction(weight) for weight in weights]
    if any(weight < 0 for weight in exact):
        raise ValueError("a weight must not be negative")
    if not exact:
        if total:
            raise ValueError(f"there is nobody to share {total} among")
        return []
    whole = sum(exact, Fraction(0))
    if whole == 0:
        exact, whole = [Fraction(1)] * len(exact), Fraction(len(exact))
    return round_parts([total * weight / whole for weight in exact])


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: whole minor units of one currency. Mixing currencies raises CurrencyMismatch (M1)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are a whole number, not {self.minor!r}")
        exponent(self.currency)

    @classmethod
    def of(cls, major: str | Decimal | int, currency: str) -> Money:
        """The amount written in major units: Money.of("12.34", "USD").

        Raises ValueError for text that is no plain decimal or has more decimals than the currency,
        TypeError for a float, UnknownCurrency.
        """
        if isinstance(major, bool) or not isinstance(major, str | Decimal | int):
            raise TypeError(f'write an amount as text such as "12.34", not as {major!r}')
        if isinstance(major, str) and not _PLAIN_DECIMAL.fullmatch(major):
            raise ValueError(f'{major!r} is not an amount; write digits and a point, such as "12.34"')
        if isinstance(major, Decimal) and not major.is_finite():
            raise ValueError(f"{major} is not an amount")
        places = exponent(currency)
        minor = Fraction(major) * 10**places
        if minor.denominator != 1:
            raise ValueError(f"{major} has more than the {places} decimals of {currency}")
        return cls(minor.numerator, currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """No money, in this currency."""
        return cls(0, currency)

    @classmethod
    def total(cls, amounts: Iterable[Money], currency: str) -> Money:
        """The sum of amounts that are all in `currency`; zero for none."""
        return sum(amounts, cls(0, currency))

    @property
    def major(self) -> Decimal:
        """The amount in major units with all decimals of the currency."""
        return to_major(self.minor, self.currency)

    @property
    def text(self) -> str:
        """The amount as a plain decimal string: "12.34"; no symbol, no grouping."""
        return plain(self.minor, self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __mul__(self, times: int) -> Money:
        if type(times) is not int:
            raise TypeError(f"an amount is multiplied by whole numbers only, not {times!r}; see to_minor")
        return Money(self.minor * times, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __str__(self) -> str:
        return f"{self.text} {self.currency}"

    def _same(self, other: object) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"an amount of money does not go together with {other!r}")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")
        return other.minor
