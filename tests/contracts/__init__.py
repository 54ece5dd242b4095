"""Stored data that must load for ever, and digests that must not move."""
