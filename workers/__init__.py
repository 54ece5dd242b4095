"""Workers assemble: the doors where workflows and activities meet in one process."""
