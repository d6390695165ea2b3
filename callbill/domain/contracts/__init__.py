"""What was agreed with a customer.

Owns: Contract (of a company, or of an organization for each of its companies) and its dated versions,
each with the contract file's image as its document.
Does not own: what the terms mean in money (rules), who pays (customers).
Always holds: versions have different effective dates, the next one ends the one before (M8);
a version that has been billed is never edited (a trigger keeps it).
"""
