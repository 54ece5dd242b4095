"""What happens in which order. One workflow class runs every agent; user code never runs here."""
