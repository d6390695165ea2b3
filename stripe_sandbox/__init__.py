"""A stand-in for Stripe: an HTTP service to run against without Stripe and without money.

It owns customers, cards, intents, charges, refunds, events and their delivery, the way Stripe
answers for them (version 2026-10-28.endive), a stand-in for Stripe.js, and switches to make
cards fail and the network misbehave. It knows nothing of any program that uses it.
"""
