"""Stripe's door: verify, store once, answer; applied later by re-fetching."""
