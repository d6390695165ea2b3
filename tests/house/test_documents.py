"""What is written down is complete, and names no place that only one machine has."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib

import pytest

from callbill.config import cli
from tests.house import rules_of_the_house as rules
from tests.house.rules_of_the_house import ROOT, sources

OPERATIONS = ROOT / "docs" / "operations.md"
GLOSSARY = ROOT / "docs" / "glossary.md"


def _committed() -> list[str]:
    """Files that git keeps, or would."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_every_environment_variable_is_documented() -> None:
    pattern = re.compile(r"""environ(?:\.get\(|\.setdefault\(|\[)\s*["']([A-Z][A-Z0-9_]+)["']""")
    read = {name for _, text in sources("callbill") for name in pattern.findall(text)}
    assert "CALLBILL_DATA" in read
    # What only the product itself sets, and what only the kill test does.
    set_by_us = {"DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED", "CALLBILL_CRASH_AT"}
    table = set(re.findall(r"^\| `([A-Z_]+)`", OPERATIONS.read_text(), re.MULTILINE))
    assert read - set_by_us - table == set(), "docs/operations.md does not have them in its table"
    assert table - read == set(), "docs/operations.md has what nothing reads"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_there_and_documented(name: str) -> None:
    module = importlib.import_module("callbill.config.commands." + name.replace("-", "_"))
    assert module.HELP
    assert f"`callbill {name}" in OPERATIONS.read_text()


def test_every_make_target_is_explained_and_documented() -> None:
    lines = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.+)$", lines, re.MULTILINE).group(1).split())
    explained = set(re.findall(r"^([a-z-]+):.*## ", lines, re.MULTILINE))
    assert phony - explained == {"browser"}, "only what `make test` needs has no line in `make help`"
    documented = OPERATIONS.read_text() + (ROOT / "README.md").read_text()
    assert [target for target in explained if f"make {target}" not in documented] == []


def test_words_of_the_glossary_are_used() -> None:
    heads = re.findall(r"^\*\*(.+?)\*\*", GLOSSARY.read_text(), re.MULTILINE)
    words = [word.lower() for head in heads for word in head.split(", ")]
    assert len(words) > 30
    names = re.findall(r"`([A-Za-z_.]+)`", GLOSSARY.read_text())
    code = "\n".join(text for _, text in sources("callbill"))
    pages = "\n".join(path.read_text() for path in (ROOT / "callbill").rglob("*.html"))
    assert [name for name in names if name.split(".")[-1] not in code] == []
    everything = (code + pages + _other_documents()).lower()
    assert [w for w in words if w not in everything and w.replace(" ", "") not in everything] == []


def _other_documents() -> str:
    return "\n".join(path.read_text() for path in (ROOT / "docs").rglob("*.md") if path != GLOSSARY)


def test_every_room_is_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [path.parent.name for path in (ROOT / "callbill" / "domain").glob("*/__init__.py")]
    assert len(rooms) == 10
    assert [room for room in rooms if f"`{room}`" not in page] == []
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [contract["name"] for contract in contracts if contract["name"] not in page] == []


def test_links_lead_somewhere() -> None:
    broken = []
    for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_the_changelog_and_the_licence_are_there() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changelog or f"## [{version}]" in changelog
    assert "MIT License" in (ROOT / "LICENSE").read_text()


def test_every_requirement_is_pinned_with_hashes() -> None:
    for name in ("runtime.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        entries = re.split(r"\n(?=[a-z])", text.strip())
        assert len(entries) > 20
        assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_nothing_names_a_registry_or_a_machine() -> None:
    kinds = ("py", "md", "toml", "txt", "in", "html", "css", "js", "json", "typ", "Makefile", "run")
    found = []
    for name in _committed():
        if re.split(r"[./]", name)[-1] in kinds:
            found += rules.names_places(name, (ROOT / name).read_text(encoding="utf-8"))
    assert found == []
