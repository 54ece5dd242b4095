"""How an agent's transcript is kept within its planner's window."""

from pydantic import Field

from holdfast.contracts.base import Contract


class CompactionSpec(Contract):
    """When and how a transcript that outgrows its planner is summarised."""

    model: str | None = None
    """Who summarises; None is the last model of the ladder."""
    at: float = Field(default=0.75, gt=0, lt=1)
    """The part of the model's window from which on it is done."""
    keep: int = Field(default=10, ge=1, le=100)
    """How many of the last messages are kept word for word, room permitting."""
