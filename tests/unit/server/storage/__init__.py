"""Unit tests of what is stored."""
