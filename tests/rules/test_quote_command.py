"""`callbill quote` and `callbill contract-schema` as a person and a program run them."""

from __future__ import annotations

import io
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from callbill.config.cli import main
from callbill.rules.document import read_terms
from callbill.rules.unpriced import unpriced
from tests.rules.contracts import EXAMPLE
from tests.rules.test_quote import ANSWER, CONTRACT, SUPPORT, call

TOML = """
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01

[[usage]]
id = "inbound"
name = "Inbound calls"
unit = "call"
rate = "1.35"

[[tax.rate]]
name = "NY sales tax"
percent = "8.875"
applies_to = ["inbound"]
"""


class Terminal:
    """Runs `callbill` with what is typed, keeping what it prints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.out = self.err = ""

    def run(self, *arguments: str | Path, stdin: bytes = b"") -> int:
        """The exit code."""
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        code = main([str(argument) for argument in arguments])
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "contract.toml"
    path.write_text(TOML)
    return path


def lines(*values: Any) -> bytes:
    """JSON values, one a line."""
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def test_the_worked_example_in_json(terminal: Terminal, contract: Path) -> None:
    assert terminal.run("quote", contract, "--period", "2026-03", "--quantity", "inbound=6200", "--json") == 0
    assert json.loads(terminal.out) == ANSWER
    assert terminal.err == ""


def test_the_worked_example_for_a_person(terminal: Terminal, contract: Path) -> None:
    assert terminal.run("quote", contract, "--period", "2026-03", "--quantity", "inbound=6200") == 0
    assert terminal.out.splitlines() == [
        "Quote for 1 to 31 March 2026, America/New_York, in USD",
        "",
        "                 Quantity   Amount     Tax",
        "Inbound calls  6200 calls  8370.00  742.84",
        "    6200 calls × 1.35 = 8370.00",
        "    NY sales tax, 8.875 % of 8370.00 = 742.8375, rounded to 742.84",
        "-" * 42,
        "Subtotal                   8370.00  742.84",
        "Total                      9112.84",
        "",
        "Calls: 6200 received, 6200 billed",
    ]


@pytest.mark.parametrize("by", ["file", "standard input"])
def test_calls_are_counted_out_of_a_file_or_standard_input(
    terminal: Terminal, contract: Path, tmp_path: Path, by: str
) -> None:
    calls = lines(call("a"), call("b", disposition="busy"), call("c", "2026-05-01T00:00:00Z"))
    source = tmp_path / "calls.ndjson"
    source.write_bytes(calls)
    given = source if by == "file" else "-"
    assert terminal.run("quote", contract, "--period", "2026-03", "--calls", given, stdin=calls) == 0
    assert "Inbound calls    1 call    1.35  0.12" in terminal.out
    assert "Calls: 2 received, 1 billed\n    1  Not billed:" in terminal.out
    assert "1 more are not of this period" in terminal.out


def test_all_mistakes_are_told_with_file_line_and_option(terminal: Terminal, tmp_path: Path) -> None:
    contract, calls = tmp_path / "c.toml", tmp_path / "calls.ndjson"
    contract.write_text(TOML.replace('"1.35"', "1.35"))
    calls.write_bytes(lines(call("a")) + b"\n{oops\n" + lines(call("b", talk_ms="x")))
    assert terminal.run("quote", contract, "--period", "2026", "--calls", calls) == 1
    told = terminal.err.splitlines()
    assert [line.split(": ")[0] for line in told] == [
        f"{calls} line 3",
        f"{contract}, usage[0].rate",
        f"{calls} line 4, talk_ms",
        "--period",
    ]
    assert terminal.out == ""


def test_mistakes_in_json_have_the_paths_of_a_request(terminal: Terminal, contract: Path) -> None:
    arguments = ("--period", "2026-03", "--from", "2026-01-01", "--quantity", "x=1", "--json")
    assert terminal.run("quote", contract, *arguments) == 1
    told = json.loads(terminal.out)["error"]["errors"]
    assert [error["path"] for error in told] == ["quantity.x", "from"]
    assert terminal.err.startswith("--quantity x: is for a usage charge that the contract does not have")


@pytest.mark.parametrize(
    ("content", "phrase"),
    [(None, "cannot be read"), (b"a = ", "is not TOML"), (b"\xff", "is not text in UTF-8")],
)
def test_a_contract_that_cannot_be_read_is_told(
    terminal: Terminal, tmp_path: Path, content: bytes | None, phrase: str
) -> None:
    path = tmp_path / "contract.toml"
    if content is not None:
        path.write_bytes(content)
    assert terminal.run("quote", path, "--period", "2026-03") == 1
    assert terminal.err.startswith(f"{path}: {phrase}")
    assert terminal.err.count("\n") == 1


def test_wrong_usage_says_what_is_right(terminal: Terminal, contract: Path) -> None:
    assert terminal.run("quote", contract) == 2
    assert "--period" in terminal.err
    assert terminal.run("quote", contract, "--batch") == 2
    assert (
        terminal.run("quote", contract, "--period", "2026-03", "--calls", "-", "--quantity", "inbound=1") == 2
    )
    assert terminal.run("quote", contract, "--period", "2026-03", "--quantity", "inbound") == 1
    assert "as in inbound=6200" in terminal.err
    twice = ("--quantity", "inbound=1", "--quantity", "inbound=2")
    assert terminal.run("quote", contract, "--period", "2026-03", *twice) == 1
    assert "inbound is given twice" in terminal.err


def test_a_key_that_is_not_known_is_refused_and_not_ignored(terminal: Terminal, tmp_path: Path) -> None:
    contract = tmp_path / "contract.toml"
    contract.write_text(TOML + '\n[[discount]]\nname = "Off"\nbogus = 1\npercent = "10"\n')
    assert terminal.run("quote", contract, "--period", "2026-03") == 1
    assert "discount[0].bogus: is not a key here" in terminal.err


def test_a_batch_answers_each_line_in_order_and_goes_on_after_bad_ones(terminal: Terminal) -> None:
    good = {"contract": CONTRACT, "period": "2026-03", "quantity": {"inbound": "6200"}}
    bad = {**good, "contract": {**CONTRACT, "usage": [{**SUPPORT, "rate": 0.95}]}}
    wide = {**good, "contract": {**CONTRACT, "currency": "KWD"}}
    stdin = lines(good, bad) + b"{not json\n\xff\xfe\n[]\n" + b"[" * 100_000 + b"\n" + lines(wide)
    assert terminal.run("quote", "--batch", stdin=stdin) == 0
    answers = [json.loads(line) for line in terminal.out.splitlines()]
    assert len(answers) == 7
    assert answers[0] == ANSWER
    assert {"usage[0].rate", "tax.rate[0].applies_to[0]"} == {
        e["path"] for e in answers[1]["error"]["errors"]
    }
    for answer in answers[2:6]:
        assert answer["error"]["errors"][0]["path"] == ""
    assert answers[6]["total"] == "9112.838"


def test_the_schema_is_printed(terminal: Terminal) -> None:
    assert terminal.run("contract-schema") == 0
    assert json.loads(terminal.out)["title"] == "Callbill contract"


def test_a_contract_with_anything_a_contract_can_have_is_priced_or_refused_whole(
    terminal: Terminal, tmp_path: Path
) -> None:
    contract = tmp_path / "contract.toml"
    contract.write_text(EXAMPLE)
    refused = unpriced(read_terms(tomllib.loads(EXAMPLE)))
    code = terminal.run("quote", contract, "--period", "2026-03", "--quantity", "inbound=1")
    assert code == (1 if refused else 0)
    assert terminal.err.splitlines() == [f"{contract}, {problem}" for problem in refused]
