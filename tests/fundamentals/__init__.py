"""How Holdfast works, one concept a test, in reading order."""
