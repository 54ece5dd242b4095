"""Data that crosses processes. No clock, no I/O, no Temporal: replayed code imports it."""
