"""`callbill import-calls` as people and scripts meet it; also the worked example of the documentation."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callbill.config.cli import main
from callbill.domain.usage.models import Call, SetAsideRow
from callbill.lib import clock
from callbill.lib.fields import new_id
from tests.domain.usage import files
from tests.domain.usage.files import row, text_of

pytestmark = pytest.mark.usefixtures("companies", "_in_december")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def _in_december(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: files.NOW)


def command(*words: object) -> int:
    """Run `callbill import-calls`; Django is up already."""
    return main(["import-calls", *map(str, words)])


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The switch's profile as a file."""
    path = tmp_path / "switch.toml"
    path.write_text(files.SWITCH)
    return path


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Two good rows and a bad one."""
    path = tmp_path / "calls.csv"
    path.write_bytes(text_of([row(id="1"), row(id="2"), row(id="3", talk="-1")]))
    return path


def test_a_report_in_words(profile: Path, calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--profile", profile, calls) == 0
    said = capsys.readouterr().out
    assert "calls.csv: 3 rows" in said
    assert "2 accepted" in said
    assert "1 × bad_duration, line 4" in said
    assert '"-1" in talk is negative' in said
    import_id = re.search(r"--retry ([0-9a-f-]{36})", said)
    assert import_id is not None
    profile.write_text(files.SWITCH.replace('column = "talk"', "constant = 60", 1))
    assert command("--profile", profile, "--retry", import_id[1]) == 0
    assert "1 accepted" in capsys.readouterr().out
    assert command("--profile", profile, "--retry-all") == 0
    assert "No row of the source switch is set aside" in capsys.readouterr().out
    assert Call.objects.count() == 3


def test_a_report_in_json(profile: Path, calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--profile", profile, "--json", calls) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert err == ""
    assert (report["accepted"], report["set_aside"], report["status"]) == (2, 1, "done")
    assert [(reason["code"], reason["first_lines"]) for reason in report["reasons"]] == [
        ("bad_duration", [4])
    ]


def test_each_different_cause_of_one_kind_is_told(
    profile: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(id="1", talk="-1"), row(id="2", talk="-1"), row(id="3", talk="9" * 14)]
    calls.write_bytes(text_of(rows))
    assert command("--profile", profile, calls) == 0
    said = capsys.readouterr().out
    assert "3 × bad_duration" in said
    assert said.count('"-1" in talk is negative') == 1
    assert "in talk is too large for a length of time" in said


def test_refusals(profile: Path, calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--profile", profile, tmp_path / "nothing.csv") == 1
    assert "No such file" in capsys.readouterr().err
    profile.write_text(files.SWITCH.replace('column = "talk"', 'column = "billsec"', 1))
    assert command("--profile", profile, calls) == 1
    said = capsys.readouterr().err
    assert 'talk_ms.column: names the column "billsec"' in said
    assert "Nothing was imported." in said
    assert command("--profile", profile, "--json", calls) == 1
    errors = json.loads(capsys.readouterr().out)["error"]["errors"]
    assert [error["path"] for error in errors] == ["talk_ms.column"]
    profile.write_bytes(b"\xff")
    assert command("--profile", profile, calls) == 1
    assert "not UTF-8" in capsys.readouterr().err
    assert not Call.objects.exists()
    assert not SetAsideRow.objects.exists()


def test_the_worked_example_of_the_documentation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "importing-calls.md").read_text()
    blocks = re.findall(r"^```(?:toml)?\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    _, data, profile, answer = blocks
    (tmp_path / "calls.csv").write_text(data)
    (tmp_path / "profile.toml").write_text(profile)
    assert command("--profile", tmp_path / "profile.toml", tmp_path / "calls.csv") == 0
    assert capsys.readouterr().out.startswith(answer)
    call = Call.objects.get(source_call_id="8801")
    assert (call.company.key, call.talk_ms, call.from_number) == ("borealis", 150_000, "+12125550143")
    assert call.started_at == datetime(2026, 3, 2, 14, 15, tzinfo=UTC)
    other = Call.objects.get(source_call_id="8802")
    assert (other.company.key, other.disposition, other.from_number) == ("acme", "abandoned", None)


def test_the_documentation_has_every_reason() -> None:
    page = (ROOT / "docs" / "importing-calls.md").read_text()
    codes = set()
    for path in (ROOT / "callbill" / "domain" / "usage").glob("_*.py"):
        text = path.read_text()
        codes |= set(re.findall(r'RowRefused\(\s*"([a-z_]+)"', text))
        codes |= set(re.findall(r'Unusable\(line, raw[^"]*"([a-z_]+)"', text))
    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in page} == set()


def test_a_billed_call_that_comes_otherwise_is_told_as_corrected(
    profile: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("--profile", profile, calls)
    Call.objects.update(settlement_id=new_id())
    calls.write_bytes(text_of([row(id="1", talk="10"), row(id="2")]))
    assert command("--profile", profile, calls) == 0
    assert "1 corrected: billed already" in capsys.readouterr().out
    assert command("--profile", profile, calls, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["corrected"], again["repeated"], again["set_aside"]) == (0, 2, 0)
