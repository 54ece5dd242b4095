"""A workflow's details for the Temporal UI, told at most once an activation: writing them takes longer than much else does.

The details are no event and decide nothing. What changes ten times before the worker answers the server is told once.
"""

import asyncio
from collections.abc import Callable

from temporalio import workflow


class CurrentDetails:
    """The current details of one workflow."""

    def __init__(self, told: Callable[[], str]) -> None:
        self._told = told
        self._due = False

    def refresh(self) -> None:
        """Have them told anew when all that is ready to run has run."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._due = False
        workflow.set_current_details(self._told())
