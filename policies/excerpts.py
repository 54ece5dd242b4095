"""Large texts in pieces: what stands in for one in the transcript, and the pages that `read_artifact` shows of it."""

from collections.abc import Sequence

from holdfast.contracts.artifacts import ArtifactRef
from holdfast.contracts.base import JsonObject
from policies.json_safety import safe_text, shorten

MAX_PAGE_BYTES = 16_000
BEFORE_FOUND_BYTES = 200
"""A page that was searched for begins this much before what was found."""

READ_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "artifact": {"type": "string", "description": "The artifact's id."},
        "offset": {"type": "integer", "minimum": 0, "description": "Byte at which to begin. Default 0."},
        "length": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_PAGE_BYTES,
            "description": f"Bytes to read. Default and maximum {MAX_PAGE_BYTES}.",
        },
        "find": {
            "type": "string",
            "minLength": 1,
            "maxLength": 500,
            "description": "Begin where this exact text next stands, at `offset` or behind it.",
        },
    },
    "required": ["artifact"],
    "additionalProperties": False,
}


def excerpt(text: str, limit: int, note: str) -> str:
    """The head and tail of a long text with a note between them, at most `limit` characters if the note leaves room."""
    kept = limit - len(_between(len(text), len(text), note))
    if kept < _WORTH_AN_EXCERPT:
        return shorten(text, max(0, limit - len(note) - 2)) + f"\n\n{note}"
    head = kept * 3 // 4
    return text[:head] + _between(len(text) - kept, len(text), note) + text[len(text) - kept + head :]


_WORTH_AN_EXCERPT = 40


def _between(left_out: int, total: int, note: str) -> str:
    return f"\n\n[… {left_out} of {total} characters left out. {note} …]\n\n"


def unknown_artifact(artifact: str, known: Sequence[ArtifactRef]) -> str:
    """What the model is told that asks for an artifact which its run has not; empty for one that it has."""
    if any(ref.id == artifact for ref in known):
        return ""
    return f"This run has no artifact {artifact[:80]!r}. Its artifacts are: {listed(known)}."


def listed(known: Sequence[ArtifactRef], limit: int = 2000) -> str:
    """The artifacts of a run in words; the latest, where there are many."""
    named = [f"{ref.id} ({_origin(ref)}, {ref.bytes:,} bytes)" for ref in reversed(known)]
    return shorten(", ".join(named), limit)


def _origin(ref: ArtifactRef) -> str:
    return f"result of call {ref.call}" if ref.call else f"attachment {ref.name}".strip()


def page_text(ref: ArtifactRef, data: bytes, offset: int, length: int, *, found_at: int | None = None) -> str:
    """A page from the bytes at `offset`, of which there may be three more than `length`, to end a character."""
    if offset >= ref.bytes:
        return f"[artifact {ref.id} ends at byte {ref.bytes}: there is nothing at {offset}]"
    start = _next_character(data, 0) if offset else 0
    stop = _next_character(data, length) if len(data) > length else len(data)
    stop = max(stop, start)
    end = offset + stop
    where = f"[artifact {ref.id}, bytes {offset + start} to {end} of {ref.bytes}"
    if found_at is not None:
        where += f"; found at byte {found_at}, to find the next use offset {found_at + 1}"
    where += f"; to read on use offset {end}]" if end < ref.bytes else "; this is its end]"
    return f"{where}\n{safe_text(data[start:stop].decode('utf-8', 'replace'))}"


def _next_character(data: bytes, at: int) -> int:
    """The first place at `at` or up to three bytes behind it where no UTF-8 character is under way."""
    for place in range(at, min(at + 4, len(data))):
        if data[place] & 0b1100_0000 != 0b1000_0000:
            return place
    return min(at + 3, len(data)) if at + 3 >= len(data) else at  # no UTF-8: any place will do


def not_found(ref: ArtifactRef, wanted: str, offset: int) -> str:
    """What the model is told when the text that it looks for does not stand there."""
    return f"[artifact {ref.id}: {wanted!r} does not stand at byte {offset} or behind it]"
