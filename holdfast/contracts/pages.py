"""Records in parts that a message takes: an answer, a signal or an input has a limit, and lists have none."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

RecordT = TypeVar("RecordT", bound=BaseModel)


def within_bytes(records: Sequence[RecordT], max_bytes: int) -> list[RecordT]:
    """The first of the records, at least one, whose JSON stays below `max_bytes`."""
    found: list[RecordT] = []
    size = 0
    for record in records:
        size += len(record.model_dump_json().encode())
        if found and size > max_bytes:
            break
        found.append(record)
    return found


def last_within_bytes(records: Sequence[RecordT], max_bytes: int) -> list[RecordT]:
    """The last of the records, at least one, in their order."""
    return within_bytes(records[::-1], max_bytes)[::-1]


def in_parts(records: Sequence[RecordT], max_bytes: int) -> list[list[RecordT]]:
    """All of the records, in parts of `max_bytes`; a part holds at least one. Without records there is one empty part."""
    parts = [within_bytes(records, max_bytes)]
    while (sent := sum(map(len, parts))) < len(records):
        parts.append(within_bytes(records[sent:], max_bytes))
    return parts
