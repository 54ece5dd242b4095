"""Where the old parts of a long run are: laid aside in the artifact store, outside history."""

from collections.abc import Sequence
from typing import Literal

from holdfast.contracts.base import Contract

PartKind = Literal["messages", "steps", "events", "done_calls"]
"""What is laid aside: messages of the transcript, steps, events, writing calls with what their undo needs."""


class ArchivedPart(Contract):
    """The items of one kind with the numbers `[start, stop)`, counted from 0, in one artifact."""

    kind: PartKind
    start: int
    stop: int
    artifact: str
    """Its name in the artifact store: gzipped JSON, named by its digest."""
    bytes: int = 0
    execution: str = ""
    """The execution (Temporal's run id) that made the items; it too can tell them while the server keeps it."""


def part_with(parts: Sequence[ArchivedPart], kind: PartKind, number: int) -> ArchivedPart | None:
    """The part that holds the item of that number; None when it is not archived."""
    return next((part for part in parts if part.kind == kind and part.start <= number < part.stop), None)


class Range(Contract):
    """Items of one kind, from number `start` on, before `stop`."""

    kind: PartKind
    start: int
    stop: int


class ArchiveRequest(Contract):
    """Asks a worker to lay items of a run aside, which it asks of the run's own workflow."""

    run: str
    ranges: list[Range]


class ArchiveOutcome(Contract):
    """The parts that were laid aside."""

    parts: list[ArchivedPart]
