"""What people want done: check, decide, append, and publish after the commit."""
