"""Being paid: cards, charges, retries, receipts.

Owns: PaymentMethod, PaymentIntent, PaymentAttempt, CollectionPlan, Receipt, Refund, GatewayEvent, the gateway
port.
Does not own: what is owed (invoicing), how Stripe is spoken to (gateways.stripe).
Always holds: one default card per payer; at most one live attempt per invoice (M26); an unknown outcome
blocks the next attempt until Stripe was asked; a charge is posted once; no card data is here, ever.
"""
