"""What the business does; each folder is a Django app of one shape: models, operations, queries."""
