"""Unit tests of enrichment."""
