"""The customers' door: company, invoices, usage, notifications, settings."""
