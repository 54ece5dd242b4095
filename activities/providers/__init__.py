"""Providers: one module per planner service, each turning a plan request into a plan."""
