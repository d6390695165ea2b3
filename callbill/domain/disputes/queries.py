"""Answers about what is held out of collection."""
