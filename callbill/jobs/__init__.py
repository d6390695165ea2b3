"""What happens by itself: schedule (when) and tasks (take now, call one operation)."""
