"""The processes that make replies."""
