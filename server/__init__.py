"""The chat itself, its processes, and their assembly."""
