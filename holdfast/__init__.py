"""Holdfast runs AI agents that survive production: each run is one Temporal workflow."""
