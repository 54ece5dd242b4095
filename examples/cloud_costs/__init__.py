"""An agent that finds idle EC2 instances and stops them, asking a human when it matters."""
