"""The Stripe sandbox, driven through the official SDK and a real browser."""
