"""Stripe's resources, one module each; every module lists its ENDPOINTS."""
