"""Currencies and the smallest amounts Stripe charges in them (docs.stripe.com/currencies)."""

from __future__ import annotations

from ..errors import mistake

_ALL = """
usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bif bmd bnd bob brl bsd bwp byn bzd cad
cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd
hnl htg huf idr ils inr isk jmd jpy kes kgs khr kmf krw kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd
mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln pyg qar ron rsd
rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx uyu uzs vnd
vuv wst xaf xcd xcg xof xpf yer zar zmw bhd jod kwd omr tnd
"""
CURRENCIES = frozenset(_ALL.split())
_SMALLEST = {
    "gbp": 30,
    "dkk": 250,
    "nok": 300,
    "sek": 300,
    "hkd": 400,
    "huf": 17500,
    "mxn": 1000,
    "myr": 200,
    "pln": 200,
    "czk": 1500,
    "ron": 200,
    "aed": 200,
    "thb": 1000,
    "bgn": 100,
}


def check_amount(amount: int, currency: str) -> str:
    """The currency in small letters; 400 when it is unknown or the amount too small to charge."""
    code = currency.lower()
    if code not in CURRENCIES:
        raise mistake(
            f"Invalid currency: {code}. Stripe currently supports these currencies: "
            f"{', '.join(sorted(CURRENCIES))}",
            param="currency",
        )
    least = _SMALLEST.get(code, 50)
    if amount < least:
        raise mistake(
            f"Amount must be at least {least} {code} in its smallest unit.",
            param="amount",
            code="amount_too_small",
        )
    return code
