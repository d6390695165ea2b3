"""How people and programs come in: portal (customers), console (staff), webhooks (Stripe), ui (shared)."""
