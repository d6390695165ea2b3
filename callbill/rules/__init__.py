"""What is true without a computer: pure functions over frozen values.

Owns: money, periods, counting, rating, discounts, tax, totals, the lifecycle of an invoice,
      the retry policy, and what a card's refusal means.
Does not own: storage, time, people, the outside. No Django, no clock, no randomness.
Always holds: the same values in give the same values out, to the cent.
"""
