"""Taking back what a run did: who asks, and what became of each effect."""

from typing import Literal

from pydantic import ConfigDict, Field

from holdfast.contracts.base import Contract
from holdfast.contracts.calls import Failure, ToolInput
from holdfast.contracts.spec import ToolSpec


class UndoneCall(Contract):
    """What became of one call.

    `undone`: its undo said so. `failed`: its undo did not succeed, and the effect may stand. `irreversible`:
    nothing can take it back.
    """

    call: str
    tool: str
    outcome: Literal["undone", "failed", "irreversible"]
    failure: Failure | None = None
    rewound: str = ""
    """As of the `DoneCall`."""
    forgotten: bool = False
    """As of the `DoneCall`."""


class UndoInput(Contract):
    """What an undo is started with. `calls` names calls of the run, such as `3.1`; None means all of them.

    With `to_step` only what was done after that step is taken back; 0 means everything. `earlier` is what earlier
    undos of the run have taken back: that is not done again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(min_length=1)
    by: str = Field(min_length=1)
    calls: list[str] | None = None
    note: str = ""
    to_step: int | None = Field(default=None, ge=0)
    earlier: list[UndoneCall] = []
    forgotten: bool = False
    """Only what the run has gone back behind, by a rewind."""


class DoneCall(Contract):
    """A writing call that a run made, with all that its undo needs."""

    input: ToolInput
    """As the call was made, with its result."""
    tool: ToolSpec
    undone: bool = False
    """The run itself has taken it back."""
    rewound: str = ""
    """Tells a call made after a rewind from one of the same id before it; empty where there was none."""
    forgotten: bool = False
    """The run has gone back behind it, by a rewind: it is no more part of its steps, and stands all the same."""


class EffectsRequest(Contract):
    """Asks for the writing calls of a run from number `after` on, as many as one answer can hold."""

    run: str
    after: int = 0


class UndoOutcome(Contract):
    """What an undo did, in the order in which it did it: last call first."""

    run: str
    by: str
    note: str
    calls: list[UndoneCall]
    asked: list[str] | None = None
    """The calls that were named; None: all of them."""
    to_step: int | None = None
    """Only what was done after this step was to be taken back."""
    forgotten: bool = False
    """Only what the run has gone back behind was to be taken back."""
    earlier: list[UndoneCall] = []
    """What earlier undos of the run had taken back beside these."""
