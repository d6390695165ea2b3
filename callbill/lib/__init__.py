"""Small tools that know Django: clock, transactions, fields, pdf."""
