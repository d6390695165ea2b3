"""Callbill: self-hosted billing for companies that handle calls for other businesses."""
