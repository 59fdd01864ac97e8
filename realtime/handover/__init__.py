"""Tell those who follow, and give the work to whoever does it."""
