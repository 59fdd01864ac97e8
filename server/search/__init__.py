"""Finding messages again."""
