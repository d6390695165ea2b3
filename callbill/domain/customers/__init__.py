"""Who is billed, and who may look.

Owns: Seller, Organization, Company, BillableEntity (the payer), PayerAssignment (who pays for a
company from which day), Membership (a person's role), BillingContact, the account manager.
Does not own: contracts, invoices, cards.
Always holds: a payer is exactly one of company or organization and has one currency (M1, M31);
a company has at most one payer on any day.
"""
