"""What a conversation is and what may happen in it. Pure: no I/O, no clock, no `await`."""
