"""The renderer: what goes wrong is said, nothing leaves the folder, only printable text goes in."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callbill.domain.invoicing._document import ROOT
from callbill.lib import pdf
from callbill.lib.glyphs import covered, printable
from tests.domain.documents.reading import reader, text_of, xmp_of

FONTS = ROOT / "fonts"
THEN = datetime(2021, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
HEAD = '#set document(title: "t")\n#set text(font: "Noto Sans", lang: "en")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fonts").symlink_to(FONTS)
    return tmp_path


def rendered(folder: Path, template: str, data: dict[str, object] | None = None) -> bytes:
    (folder / "t.typ").write_text(HEAD + template)
    return pdf.render("t.typ", data or {}, root=folder, timestamp=THEN)


def test_data_arrives_as_json_and_is_not_markup(folder: Path) -> None:
    made = rendered(
        folder,
        "#let d = json(bytes(sys.inputs.data))\n#d.a.at(0).b #d.n",
        {"a": [{"b": "#panic()\x00"}], "n": 3},
    )
    assert text_of(made) == "#panic() 3"


def test_a_mistake_in_the_template_is_told_with_typsts_words(folder: Path) -> None:
    with pytest.raises(pdf.PdfFailed, match=r"t\.typ: .*unknown variable: nothing_like_it"):
        rendered(folder, "#nothing_like_it")


def test_a_missing_template_is_told(folder: Path) -> None:
    with pytest.raises(pdf.PdfFailed, match=r"none\.typ"):
        pdf.render("none.typ", {}, root=folder, timestamp=THEN)


@pytest.mark.parametrize("place", ["/etc/passwd", "../../../../../../etc/passwd"])
def test_a_template_reads_nothing_outside_its_folder(folder: Path, place: str) -> None:
    with pytest.raises(pdf.PdfFailed):
        rendered(folder, f'#read("{place}")')


def test_a_document_that_takes_too_long_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "TIMEOUT_SECONDS", 2)
    with pytest.raises(pdf.PdfFailed, match="after 2 seconds"):
        rendered(folder, "#for a in range(100000) { for b in range(100000) { } }")


def test_no_secret_goes_to_the_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []
    real = subprocess.run

    def spy(*args: object, **kwargs: object) -> object:
        given.append(kwargs["env"])  # type: ignore[arg-type]
        return real(*args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_secret")
    monkeypatch.setattr(subprocess, "run", spy)
    rendered(folder, "x")
    assert given
    assert set(given[0]) <= {"PATH", "LD_LIBRARY_PATH"}


def test_a_character_that_slips_through_costs_the_archive_mark_not_the_document(folder: Path) -> None:
    made = rendered(folder, "shown \\u{10FFFD}")
    assert "shown" in text_of(made)
    assert "<pdfaid:part>" not in xmp_of(reader(made))
    assert "<pdfaid:part>3" in xmp_of(reader(rendered(folder, "shown")))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain", "plain"),
        ("e\u0301", "é"),
        ("a\tb\r\nc\u2028d", "a b\nc\nd"),
        ("\u202eabc\u2066\u200b\ufeff", "abc"),
        ("nul\x00 bell\x07", "nul bell"),
        ("\ue000\uffff\ufdd0", ""),
        ("😀", "\ufffd"),
        ("北京医院", "北京医院"),
        ("a\u0656", "a"),  # an Arabic mark on a Latin letter: no font has both
        ("\u0628\u0656", "\u0628\u0656"),
        ("\u0301", ""),  # an accent on nothing
    ],
)
def test_text_is_reduced_to_what_can_be_printed(given: str, expected: str) -> None:
    assert printable(given, FONTS) == expected


def test_the_fonts_character_maps_are_read(tmp_path: Path) -> None:
    known = covered(FONTS)
    assert len(known) == 32_995
    for character in "AzÄßœŁ€£¥₹…•–—“”×\ufffd Ωжאبกक北京醫院日本語":
        assert ord(character) in known, character
    assert not {ord("😀"), 0xE000, 0xFFFF, 0x10FFFF} & known
    (tmp_path / "NotoSansThai.ttf").write_bytes((FONTS / "NotoSansThai-Regular.ttf").read_bytes())
    thai = covered(tmp_path)
    assert set(range(0x0E01, 0x0E3B)) <= thai
    assert ord("A") not in thai
