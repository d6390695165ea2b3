"""Invoices: closing periods, pricing them, issuing documents that never change again.

Owns: Invoice with its sections, stretches and lines, Adjustment, CreditNote, number series, BillingRun, PDFs.
Does not own: prices (rules), calls (usage), terms (contracts), being paid (payments).
Always holds: a payer has one invoice per period; an issued invoice is frozen (triggers);
numbers are gapless per series (M24); sections add up to the total (M31).
"""
