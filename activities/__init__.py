"""Activities do: every effect on the world outside a workflow happens here."""
