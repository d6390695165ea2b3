"""What the house asks of its code: each function takes sources and answers with what is wrong in them.

They take text, not files, so that tests/house/test_rules_of_the_house.py can show that each can fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_FILE = 400
LONGEST_FUNCTION = 70
FORBIDDEN_NAMES = {"utils", "helpers", "common", "services", "managers", "mixins", "signals", "base"}
# A registry or a mirror of one; a machine's folders. Said in halves, so that this file does not find itself.
_HOSTS = (
    *("pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.", r"deb\." + "debian"),
    "(?<!no-emit-)index" + "-url",
)
_FOLDERS = ("work", "root", "home", "opt", "Users")
REGISTRIES = re.compile("|".join(_HOSTS))
MACHINE_PATHS = re.compile(r"(?<![\w./}$*-])/(?:" + "|".join(_FOLDERS) + r")/[\w.-]+")


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    """(path, text) of the Python files in the folders, without migrations."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def too_long(path: str, text: str) -> list[str]:
    """Files and functions longer than one can keep in mind."""
    count = text.count("\n") + 1
    found = [f"{path} has {count} lines, more than {LONGEST_FILE}"] if count > LONGEST_FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines >= LONGEST_FUNCTION:
                found.append(
                    f"{path}:{node.lineno} {node.name} has {lines} lines, not under {LONGEST_FUNCTION}"
                )
    return found


def meaningless_name(path: str) -> list[str]:
    """Modules and folders named for nothing."""
    words = [part.removesuffix(".py").strip("_") for part in Path(path).parts]
    return [f"{path}: {word} says nothing about what is inside" for word in words if word in FORBIDDEN_NAMES]


def asks_the_time(path: str, text: str) -> list[str]:
    """Clocks read anywhere but in lib/clock.py, and lib.clock used below web, jobs and config."""
    if path == "callbill/lib/clock.py":
        return []
    found = []
    may_use_clock = path.startswith(("callbill/web/", "callbill/jobs/", "callbill/config/"))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and _dotted(node.func) in _CLOCKS:
            found.append(f"{path}:{node.lineno} asks {_dotted(node.func)}(); take `now` as an argument")
        if not may_use_clock and "callbill.lib.clock" in _imported(node):
            found.append(f"{path} imports lib.clock; only web, jobs and config may")
    return found


_CLOCKS = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "datetime.datetime.now"),
    *("date.today", "datetime.date.today", "time.time", "time.time_ns"),
    *("timezone.now", "timezone.localdate", "django.utils.timezone.now"),
}


def floats(path: str, text: str) -> list[str]:
    """Floating point where money, rates and quantities are."""
    found = []
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            if _LIKENESS.search(lines[node.lineno - 1]):
                continue
            found.append(f"{path}:{node.lineno} {node.value} is a float")
        elif isinstance(node, ast.Call) and _dotted(node.func) in ("float", "math.fsum", "models.FloatField"):
            found.append(f"{path}:{node.lineno} calls {_dotted(node.func)}")
    return found


_LIKENESS = re.compile("nearness|cutoff")  # difflib's likeness of two words, for "did you mean"


def undocumented(path: str, text: str) -> list[str]:
    """Modules, public functions and public classes without a docstring."""
    tree = ast.parse(text)
    found = [] if ast.get_docstring(tree) else [f"{path} does not say what it is"]
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_") and not ast.get_docstring(node):
            found.append(f"{path}:{node.lineno} {node.name} has no docstring")
    return found


def bad_door(path: str, text: str) -> list[str]:
    """A domain app's `__init__`: a docstring of at most 15 lines and nothing else."""
    tree = ast.parse(text)
    words = ast.get_docstring(tree)
    if not words:
        return [f"{path} does not say what the room owns"]
    found = []
    if len(words.splitlines()) > 15:
        found.append(f"{path} needs {len(words.splitlines())} lines, more than 15")
    if len(tree.body) > 1:
        found.append(f"{path} has more than its docstring")
    return found


def operations_by_position(path: str, text: str) -> list[str]:
    """Public operations that could be called by position; their arguments are named."""
    found = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if node.args.args or node.args.posonlyargs:
            found.append(f"{path}:{node.lineno} {node.name} takes positional arguments")
    return found


def unsafe_markup(path: str, text: str) -> list[str]:
    """What a strict content security policy would block, and text written without escaping."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if re.search(r"<[^>]*\sstyle\s*=", line) or re.search(r"<style(?![^>]*nonce=)", line):
            found.append(f"{path}:{number} has an inline style")
        if re.search(r"<script(?![^>]*(\ssrc=|nonce=))", line):
            found.append(f"{path}:{number} has an inline script")
        if re.search(r"<[^>]*\son[a-z]+\s*=", line):
            found.append(f"{path}:{number} has an inline handler")
        if re.search(r"(?<!help_text)\|\s*safe\b|autoescape\s+off|javascript:", line):
            found.append(f"{path}:{number} writes unescaped text")
    return found


def names_places(path: str, text: str) -> list[str]:
    """A package registry's host, or a folder of one machine."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, what in ((REGISTRIES, "a package registry"), (MACHINE_PATHS, "a folder of one machine")):
            if hit := pattern.search(line):
                found.append(f"{path}:{number} names {what}: {hit.group()}")
    return found


def untested_by_choice(path: str, text: str) -> list[str]:
    """Tests that are skipped or expected to fail."""
    pattern = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b")
    return [
        f"{path}:{number} skips a test"
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()
