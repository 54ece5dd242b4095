"""The folder of policies and the folder of their tests, side by side."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_policy_has_its_tests() -> None:
    """For each file of policies there is one file of tests of the same name."""
    policies = {path.stem for path in (ROOT / "policies").glob("*.py")} - {"__init__"}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "policies").glob("test_*.py")}
    assert policies - tested == set()
