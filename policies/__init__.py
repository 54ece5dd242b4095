"""Policies decide: facts in, decision out. Pure functions; the time is passed in."""
