"""What touches the world: models, tools, guards. Joined to the workflow by name only."""
