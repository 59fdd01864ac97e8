"""The log of a conversation: an epoch, gapless offsets, and drafts that grow."""
