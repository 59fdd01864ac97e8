"""Prompt in, stream of deltas out: knows no sockets and no storage."""
