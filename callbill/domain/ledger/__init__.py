"""Double-entry postings: every fact that moved money, once.

Owns: Entry (one fact, named by a unique key) and Posting (its balanced sides).
Does not own: why something was posted; it is told plain facts.
Always holds: an entry balances per currency, and nothing is ever changed or deleted
(triggers keep both); a fact told twice is posted once (M25).
"""
