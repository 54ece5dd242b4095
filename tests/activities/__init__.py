"""Activities alone, and the real provider client against a loopback server."""
