"""Attaching files to a task: what is large goes to the artifact store, so that a run's input stays small."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.artifacts import artifact_store
from holdfast.contracts.attachments import MAX_ATTACHMENTS, MAX_INLINE_CHARS, Attachment
from holdfast.errors import UsageError

INLINE_IN_ALL = 32_000
"""Characters of small texts that one run's input holds; what is beyond goes to the store, however small."""


@dataclass(frozen=True)
class File:
    """Something to attach.

    Args:
        data: Its bytes, or the path of a file. A large file is not read into memory.
        name: How the agent is told of it; a path has one of its own.
        media_type: Such as `text/csv`; by default it is guessed from the name and the bytes.
    """

    data: bytes | Path
    name: str = ""
    media_type: str | None = None


Attachable = str | Path | File | Attachment
"""A path, a `File`, or what the store has already."""


async def attached(files: Sequence[Attachable]) -> list[Attachment]:
    """The attachments as a run's input holds them, once the store has what is large.

    Raises:
        UsageError: A file cannot be read, is empty and no text, or has no name; or there are too many.
        ArtifactStoreFailed: The store does not take it.
    """
    if len(files) > MAX_ATTACHMENTS:
        raise UsageError(f"{len(files)} attachments are too many: a run takes {MAX_ATTACHMENTS}.")
    found: list[Attachment] = []
    room = INLINE_IN_ALL
    for one in files:
        made = one if isinstance(one, Attachment) else await _attached(one, min(room, MAX_INLINE_CHARS))
        room -= len(made.text or "")
        found.append(made)
    return found


async def _attached(given: str | Path | File, room: int) -> Attachment:
    file = given if isinstance(given, File) else File(Path(given))
    name = file.name or (file.data.name if isinstance(file.data, Path) else "")
    if not name or not name.isprintable():
        raise UsageError(
            f"An attachment needs a printable name, such as File(data, name='report.csv'): {name!r}."
        )
    size, beginning = await asyncio.to_thread(_beginning, file.data, name, 4 * room)
    text = _as_text(beginning)
    guessed = mimetypes.guess_type(name)[0] or (
        "text/plain" if text is not None else "application/octet-stream"
    )
    media_type = file.media_type or guessed
    if text is not None and size == len(beginning) and len(text) <= room:
        return Attachment(name=name, media_type=media_type, bytes=size, text=text)
    if not size:
        raise UsageError(f"The attachment {name} is empty.")
    artifact, size = await artifact_store().put(file.data)
    return Attachment(name=name, media_type=media_type, bytes=size, artifact=artifact)


def _beginning(data: bytes | Path, name: str, count: int) -> tuple[int, bytes]:
    """The size, and the first bytes. Raises UsageError."""
    if not isinstance(data, Path):
        return len(data), data[:count]
    try:
        with data.open("rb") as opened:
            return data.stat().st_size, opened.read(count)
    except OSError as error:
        raise UsageError(
            f"The attachment {name} cannot be read: {error.strerror or error} ({data})."
        ) from None


def _as_text(data: bytes) -> str | None:
    """The bytes as text; None where they are none, or end within a character."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
