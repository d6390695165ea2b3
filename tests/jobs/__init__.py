"""What happens by itself, and the workers that do it."""
