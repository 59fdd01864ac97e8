"""Who does what only one process should do at a time."""
