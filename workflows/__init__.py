"""Workflows order: what happens next, and what is waited for. Deterministic, replayed by Temporal."""
