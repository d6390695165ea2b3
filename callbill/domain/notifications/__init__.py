"""What customers are told by e-mail.

Owns: Notification (one message to one address: an outbox row) and its delivery.
Does not own: why or when something is told (invoicing and payments say it), addresses (customers).
Always holds: a message with a key goes to an address once; a pending row is delivered by a sweep
until it is sent, whatever dies in between.
"""
