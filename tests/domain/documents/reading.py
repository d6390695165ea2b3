"""Reading a PDF back."""

from __future__ import annotations

import io
from typing import Any

from pypdf import PdfReader


def reader(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def text_of(pdf: bytes) -> str:
    """The words of all pages in reading order, with single spaces."""
    pages = [page.extract_text() for page in reader(pdf).pages]
    return " ".join("\n".join(pages).split())


def xmp_of(pdf: PdfReader) -> str:
    """The metadata in which the file says what it conforms to."""
    catalog: Any = pdf.trailer["/Root"]
    metadata: str = catalog["/Metadata"].get_object().get_data().decode()
    return metadata
