"""Answers about reconciliation, for staff."""
