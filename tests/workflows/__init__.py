"""Workflows on the real server, in the strict sandbox."""
