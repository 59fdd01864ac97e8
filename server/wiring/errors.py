"""Why a process cannot be put together."""


class NotConfigured(Exception):
    """Something that this process needs is not configured; the message says what to set."""
