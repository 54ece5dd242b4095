"""What a long run has laid aside: each part of it is one artifact, written once and read by whoever needs it.

A run goes on in a new execution before the history of the old one becomes too long. What it no longer needs at hand
(old messages, steps, events, writing calls) is archived first.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter

from holdfast.artifacts import ArtifactStore
from holdfast.contracts.archive import ArchivedPart, PartKind, part_with
from holdfast.contracts.messages import Message
from holdfast.contracts.run import RunEvent, StepRecord
from holdfast.contracts.undo import DoneCall

RecordT = TypeVar("RecordT", bound=BaseModel)

ITEMS: dict[PartKind, type[BaseModel]] = {
    "messages": Message,
    "steps": StepRecord,
    "events": RunEvent,
    "done_calls": DoneCall,
}


async def write_part(
    store: ArtifactStore, kind: PartKind, start: int, items: Sequence[BaseModel], execution: str
) -> ArchivedPart:
    """Store the items, of which the first has number `start`. Raises ArtifactStoreFailed."""
    spelled = json.dumps([item.model_dump(mode="json") for item in items], separators=(",", ":"))
    content = gzip.compress(spelled.encode("utf-8", "surrogatepass"), 6, mtime=0)
    name, size = await store.put(content)
    return ArchivedPart(
        kind=kind, start=start, stop=start + len(items), artifact=name, bytes=size, execution=execution
    )


async def read_part(store: ArtifactStore, part: ArchivedPart, model: type[RecordT]) -> list[RecordT]:
    """All items of a part. Raises ArtifactNotFound, ArtifactStoreFailed."""
    content: Any = json.loads(
        gzip.decompress(await store.read(part.artifact)).decode("utf-8", "surrogatepass")
    )
    return TypeAdapter(list[model]).validate_python(content)  # type: ignore[valid-type]  # a type at run time


async def read_items(
    store: ArtifactStore,
    parts: Sequence[ArchivedPart],
    model: type[RecordT],
    kind: PartKind,
    *,
    start: int,
    stop: int,
) -> list[RecordT]:
    """The items in `[start, stop)`, as far as they are archived without a gap. Raises ArtifactNotFound, ArtifactStoreFailed."""
    found: list[RecordT] = []
    while start < stop and (part := part_with(parts, kind, start)) is not None:
        items = await read_part(store, part, model)
        found += items[
            start - part.start : min(stop, part.stop) - part.start
        ]  # a fork takes over part of a part
        start = part.stop
    return found
