"""People who sign in, and the record of what staff did.

Owns: User (e-mail sign-in, staff or customer), StaffAction (the audit log).
Does not own: what a customer may see (customers.Membership).
Always holds: an e-mail address belongs to one user whatever its case; the audit log only grows.
"""
