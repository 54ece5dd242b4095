"""Decisions as pure functions: facts in, decision out. No clock, no I/O, no Temporal; `now` is passed in."""
