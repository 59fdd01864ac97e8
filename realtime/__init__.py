"""Bytes between browsers and workers: sessions, log, hub, queue. Knows no chat and no model."""
