"""Tertulia in thirteen short chapters that run. Read them in order; docs/protocol.md says the same in tables."""
