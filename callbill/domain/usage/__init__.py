"""Calls: how they come in, how they are counted, and which of them stand behind a line.

Owns: Call, CallImport (one run over one file), SetAsideRow (a row that could not be used, and why).
Does not own: terms (contracts), prices (rules), lines (invoicing).
Always holds: (company, source, source call id) is there once (M11); a call with a settlement id has been
billed or found not billable under it and does not change any more; no row of a file is lost.
"""
