"""Which characters a folder of fonts can print, and text with only those.

PDF/A and PDF/UA forbid missing glyphs, so one character that no font has would stop a whole invoice.
"""

from __future__ import annotations

import struct
import unicodedata
from functools import lru_cache
from pathlib import Path

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_JOINERS = frozenset("\u200c\u200d")  # how some scripts join; everything else invisible is dropped
_DROPPED = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


def printable(text: str, fonts: Path) -> str:
    """The text as the fonts in the folder can print it, in Unicode's composed form (NFC).

    Control, text-direction, private and unassigned characters are dropped (tabs and line ends become
    spaces and line feeds); characters that no font has become U+FFFD.
    """
    known = covered(fonts)
    kept = []
    for character in unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", " ")):
        if character == "\n" or character in _JOINERS:
            kept.append(character)
        elif unicodedata.category(character) in {"Zl", "Zp"}:
            kept.append("\n")
        elif unicodedata.category(character) not in _DROPPED:
            kept.append(character if ord(character) in known else REPLACEMENT)
    return "".join(kept)


@lru_cache(maxsize=4)
def covered(fonts: Path) -> frozenset[int]:
    """Every code point that at least one TrueType font in the folder has a glyph for."""
    return frozenset().union(*(_cmap(path.read_bytes()) for path in sorted(fonts.glob("*.ttf"))))


def _cmap(font: bytes) -> set[int]:
    """The code points of a font's character map (OpenType specification, table "cmap", formats 4 and 12)."""
    (tables,) = struct.unpack_from(">H", font, 4)
    for index in range(tables):
        tag, _, start, _ = struct.unpack_from(">4sIII", font, 12 + 16 * index)
        if tag == b"cmap":
            return _subtables(font, start)
    return set()


def _subtables(font: bytes, start: int) -> set[int]:
    codes: set[int] = set()
    (count,) = struct.unpack_from(">H", font, start + 2)
    for index in range(count):
        platform, _, offset = struct.unpack_from(">HHI", font, start + 4 + 8 * index)
        (kind,) = struct.unpack_from(">H", font, start + offset)
        if platform in {0, 3} and kind == 4:
            codes |= _segments(font, start + offset)
        elif platform in {0, 3} and kind == 12:
            codes |= _groups(font, start + offset)
    return codes


def _segments(font: bytes, at: int) -> set[int]:
    """Format 4: segments of codes, each by a shift or through an array of glyph ids; glyph 0 is none."""
    (twice,) = struct.unpack_from(">H", font, at + 6)
    many = f">{twice // 2}H"
    ends = struct.unpack_from(many, font, at + 14)
    starts, shifts, ranges = (
        struct.unpack_from(many, font, at + 16 + twice * column) for column in (1, 2, 3)
    )
    codes: set[int] = set()
    for segment, (first, last) in enumerate(zip(starts, ends, strict=True)):
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = code
            if ranges[segment]:
                place = at + 16 + twice * 3 + 2 * segment + ranges[segment] + 2 * (code - first)
                (glyph,) = struct.unpack_from(">H", font, place)
                if glyph == 0:
                    continue
            if (glyph + shifts[segment]) & 0xFFFF:
                codes.add(code)
    return codes


def _groups(font: bytes, at: int) -> set[int]:
    """Format 12: groups of codes with their first glyph id."""
    (count,) = struct.unpack_from(">I", font, at + 12)
    codes: set[int] = set()
    for group in range(count):
        first, last, glyph = struct.unpack_from(">III", font, at + 16 + 12 * group)
        codes.update(range(first + (glyph == 0), last + 1))
    return codes
