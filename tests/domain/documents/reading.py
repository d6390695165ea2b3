"""Reading a PDF back."""

from __future__ import annotations

import io

from pypdf import PdfReader


def reader(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def text_of(pdf: bytes) -> str:
    """The words of all pages in reading order, single spaces, without the invisible break marks."""
    pages = [page.extract_text() for page in reader(pdf).pages]
    return " ".join("\n".join(pages).replace("\u200b", "").split())
