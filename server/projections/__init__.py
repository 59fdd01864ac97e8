"""What follows from the stored events a moment later, for those who read."""
