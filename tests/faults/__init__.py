"""What breaks in production: killed processes, lost replies, throttling."""
