"""What changes about what is held out of collection."""
