"""PDF documents by Typst: one process for each document.

A process of its own because Typst keeps what it compiled and never gives the memory back, and hangs in a
child that was forked after it rendered. Data goes in as JSON and is never parsed as markup, so nothing
written in a customer's name can become code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60


class PdfFailed(Exception):
    """The document could not be made; the message is Typst's."""


def render(template: str, data: Mapping[str, Any], *, root: Path, timestamp: datetime) -> bytes:
    """The PDF of `root/template`, which reads `data` by `json(bytes(sys.inputs.data))`.

    Every string in `data` is first reduced to what the fonts in `root/fonts` can print (no system fonts
    are used). `timestamp` is an aware moment and stands in the file as its date: the same template, data
    and moment give the same bytes. Raises PdfFailed, also when it takes longer than a minute.
    """
    from callbill.lib.glyphs import printable  # not for the child, which runs this file on its own

    fonts = root / "fonts"

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return printable(value, fonts)
        if isinstance(value, Mapping):
            return {key: clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [clean(inner) for inner in value]
        return value

    order = {
        "template": template,
        "root": str(root),
        "fonts": str(fonts),
        "timestamp": timestamp.replace(microsecond=0).isoformat(),  # Typst takes whole seconds
        "data": json.dumps(clean(data)),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", __file__],
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            # No secrets of ours go along.
            env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PdfFailed(f"{template} was not ready after {TIMEOUT_SECONDS} seconds") from None
    if done.returncode != 0:
        raise PdfFailed(f"{template}: {done.stderr.decode(errors='replace').strip()[-2000:]}")
    return done.stdout


def _main() -> int:
    """The child: one order from standard input, one PDF to standard output."""
    import typst

    order = json.load(sys.stdin.buffer)

    def compiled(standards: Any) -> bytes:
        return typst.compile(
            Path(order["root"]) / order["template"],
            root=order["root"],
            font_paths=[order["fonts"]],
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"data": order["data"]},
            pdf_standards=standards,
            timestamp=datetime.fromisoformat(order["timestamp"]),
        )

    try:
        pdf = compiled(["a-3a", "ua-1"])  # archivable (PDF/A-3a) and accessible (PDF/UA-1)
    except typst.TypstError as problem:
        if "could not be displayed" not in str(problem):
            sys.stderr.write(f"{problem}\n{getattr(problem, 'diagnostic', '')}\n")
            return 1
        # A character slipped through `printable`: an invoice with an empty box is better than none.
        pdf = compiled(None)
    sys.stdout.buffer.write(pdf)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
