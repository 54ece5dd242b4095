"""The public API as its users type it: what must and must not type-check."""
