"""What changes about reconciliation."""
