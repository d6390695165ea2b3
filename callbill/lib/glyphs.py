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
_MARKS = frozenset({"Mn", "Mc", "Me"})


def printable(text: str, fonts: Path) -> str:
    """The text as the fonts in the folder can print it, in Unicode's composed form (NFC).

    Control, text-direction, private and unassigned characters are dropped (tabs and line ends become
    spaces and line feeds); characters that no font has become U+FFFD. An accent or joiner stays only if
    one font has it together with the character that it stands on.
    """
    kept: list[str] = []
    able = frozenset[int]()  # the fonts that have everything since the last base character
    for character in unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", " ")):
        category = unicodedata.category(character)
        having = _having(fonts).get(ord(character), frozenset())
        if character == "\n" or category in {"Zl", "Zp"}:
            kept.append("\n")
            able = frozenset()
        elif category in _MARKS or character in _JOINERS:
            if able & having:
                kept.append(character)
                able &= having
        elif category not in _DROPPED:
            kept.append(character if having else REPLACEMENT)
            able = having
    return "".join(kept)


def covered(fonts: Path) -> frozenset[int]:
    """Every code point that at least one TrueType font in the folder has a glyph for."""
    return frozenset(_having(fonts))


@lru_cache(maxsize=4)
def _having(fonts: Path) -> dict[int, frozenset[int]]:
    """For each code point the fonts that have it; a font is its place in the folder by name."""
    found: dict[int, frozenset[int]] = {}
    for place, path in enumerate(sorted(fonts.glob("*.ttf"))):
        only = frozenset({place})
        joined: dict[frozenset[int], frozenset[int]] = {}  # few sets, shared by many code points
        for code in _cmap(path.read_bytes()):
            before = found.get(code, frozenset())
            found[code] = joined.setdefault(before, before | only)
    return found


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
