"""The real command line and real workers, as processes."""
