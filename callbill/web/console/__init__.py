"""The staff's door: find a customer or an invoice, explain a line, retry a charge, look at billing runs."""
