"""Stripe behind the port `domain/payments/gateway.py`: the only place that knows the SDK.

Owns: the client and its settings, the translation of objects and errors into our words, event signatures.
Does not own: what to do next (domain/payments).
Always holds: a key of ours on every POST; no call inside a transaction; no card data, no payloads kept.
"""
