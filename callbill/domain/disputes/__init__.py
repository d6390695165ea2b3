"""What is held out of collection, and why (M30).

Owns: Hold, on an invoice or a part of what is owed on it: a charge disputed at the bank, a warning of fraud,
a question of the customer, a decision of staff.
Does not own: chargebacks themselves (payments), credit (invoicing).
Always holds: one open hold for one cause; what is not held is still collected.
"""
