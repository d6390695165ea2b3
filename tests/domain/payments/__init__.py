"""Being paid, against the real sandbox and a real PostgreSQL."""
