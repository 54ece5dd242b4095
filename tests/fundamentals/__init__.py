"""How Holdfast works, one idea a test, in reading order. Edge cases live elsewhere."""
