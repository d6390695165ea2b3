"""The documents: one Typst template, the fonts, and what payments needs to print a receipt.

The words are made in `invoicing._document`; a receipt has the invoice's lines and the payment.
"""

from callbill.domain.invoicing._document import Confirmation, receipt_pdf

__all__ = ["Confirmation", "receipt_pdf"]
