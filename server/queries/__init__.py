"""What people want to see, and what a model gets to see."""
