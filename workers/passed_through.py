"""Modules that a sandbox passes through: it does not load them again for a workflow."""

STRICT_PASSED_THROUGH = ("jsonschema_rs", "pydantic", "annotated_types")
"""A compiled module cannot be loaded twice."""

PASSED_THROUGH = ("holdfast", "policies", "workflows", *STRICT_PASSED_THROUGH)
"""The engine too: 3 ms for a run instead of 20. It also takes the guard against clocks and random off it, so the tests
run strict, and a lint forbids those calls."""
