"""A draft contract version as somebody hands it in: a contract file that is not agreed on yet."""

from __future__ import annotations

import tomllib

from callbill.domain.invoicing._backtest import BacktestRefused
from callbill.rules.document import DocumentErrors, read_terms, warnings_of
from callbill.rules.problem import Problem
from callbill.rules.terms import Terms

MOST_BYTES = 64 * 1024


def read_draft(data: bytes) -> tuple[Terms, list[Problem]]:
    """The terms of a contract file of at most 64 KB, and what its author should look at again.

    Raises BacktestRefused with every mistake in it.
    """
    if len(data) > MOST_BYTES:
        said = f"has {len(data):,} bytes; a contract file has at most {MOST_BYTES:,}. Is it the right file?"
        raise BacktestRefused([Problem("", said)])
    try:
        terms = read_terms(tomllib.loads(data.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise BacktestRefused([Problem("", "is not text in UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        raise BacktestRefused([Problem("", f"is not TOML: {error}")]) from None
    except RecursionError:
        raise BacktestRefused([Problem("", "is not a contract: its tables are nested too deeply")]) from None
    except DocumentErrors as errors:
        raise BacktestRefused(errors.problems) from None
    return terms, warnings_of(terms)
