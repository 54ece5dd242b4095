"""Decisions as tables and properties: no Temporal, no asyncio, milliseconds."""
