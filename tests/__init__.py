"""Tests: real PostgreSQL, the real sandbox, a real browser."""
