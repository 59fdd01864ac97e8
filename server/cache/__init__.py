"""What was read before, and need not be read again: in this process, in Redis, and else in the database."""
