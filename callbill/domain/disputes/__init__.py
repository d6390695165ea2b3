"""A customer's question about a line or a call, and its answer.

Owns: nothing yet; the room keeps its place between invoicing and payments, because a question can hold
an amount out of collection (M30) and so must stand above invoicing and below payments.
"""
