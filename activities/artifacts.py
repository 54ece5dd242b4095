"""Large results: the whole goes to the artifact store, the transcript gets its head and tail, and pages on request."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio import activity

from activities.failing import application_error
from activities.heartbeat import heartbeating
from activities.transcripts import TranscriptCache
from holdfast.artifacts import ArtifactStore, artifact_store
from holdfast.contracts import names
from holdfast.contracts.artifacts import CUT, ArtifactRead, ArtifactRef, cut_result
from holdfast.contracts.base import Json
from holdfast.contracts.calls import Failure
from holdfast.errors import ArtifactNotFound, HoldfastError, UsageError
from policies.excerpts import BEFORE_FOUND_BYTES, excerpt, not_found, page_text
from policies.feedback import render
from policies.json_safety import safe, safe_text, shorten

STORE_SECONDS = 60.0
"""Storing a result takes no longer than this, nor longer than what is left of the call's own time."""

LARGE = 100_000
"""Characters, bytes or items from which on a result is prepared in a thread, beside the event loop."""


@dataclass(frozen=True)
class _Prepared:
    """A result that is safe to keep: `shown` if it fits, else `text` and the bytes of the whole."""

    shown: Json = None
    text: str = ""
    whole: bytes | None = None
    media_type: str = "text/plain"


async def fitted(result: Any, limit: int, call: str) -> Json:
    """The result if its text has at most `limit` characters, else its head and tail and where the whole is kept.

    Never raises because of the store: the call has had its effect. What cannot be kept is cut, and the text says so.
    """
    large = isinstance(result, str | bytes | bytearray | list | tuple | dict | set) and len(result) > LARGE
    found = await asyncio.to_thread(_prepare, result, limit) if large else _prepare(result, limit)
    if found.whole is None:
        return found.shown
    try:
        async with asyncio.timeout(_seconds_left()):
            artifact, size = await artifact_store().put(found.whole)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with the store, the call was made
        why = shorten(safe_text(str(error)) or type(error).__name__, 200)
        activity.logger.warning("The result of call %s could not be kept whole: %s", call, why)
        return excerpt(found.text, limit, f"The rest could not be kept ({why}).")
    ref = ArtifactRef(id=artifact, bytes=size, media_type=found.media_type, call=call)
    return cut_result(
        excerpt(
            found.text,
            limit,
            f"The whole is artifact {artifact} ({size:,} bytes): read on by {names.READ_ARTIFACT}.",
        ),
        ref,
    )


def _seconds_left() -> float:
    info = activity.info()
    if info.start_to_close_timeout is None:
        return STORE_SECONDS
    left = info.started_time + info.start_to_close_timeout - datetime.now(UTC)
    return max(0.0, min(STORE_SECONDS, left.total_seconds() * 0.8))


def _prepare(result: Any, limit: int) -> _Prepared:
    shown = safe(result)
    text = render(shown)
    if isinstance(shown, dict) and CUT in shown:  # it must not pass for one that the engine has cut
        shown = text
    if len(text) <= limit:
        return _Prepared(shown)
    if isinstance(result, bytes | bytearray):
        return _Prepared(text=text, whole=bytes(result), media_type=_type_of_bytes(result))
    text = _spelled(result, text)
    return _Prepared(
        text=text,
        whole=text.encode("utf-8", "replace"),
        media_type="text/plain" if isinstance(result, str) else "application/json",
    )


def _type_of_bytes(result: bytes | bytearray) -> str:
    try:
        result.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain"


def _spelled(result: Any, otherwise: str) -> str:
    """All of a result as text, also where its safe copy left something out for its number of values."""
    if isinstance(result, str):
        return otherwise
    try:
        text = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return otherwise
    return safe_text(text)


def read_artifact(cache: TranscriptCache) -> Any:
    """The activity behind the built-in call `read_artifact`."""

    @activity.defn(name=names.READ_ARTIFACT)
    async def read(asked: ArtifactRead) -> str:
        async with heartbeating():
            try:
                text = await read_page(artifact_store(), asked)
            except ArtifactNotFound as error:
                raise _failed(error, "correctable") from None
            except UsageError as error:
                raise _failed(error, "fatal") from None
            except HoldfastError as error:
                raise _failed(error, "transient") from None
        cache.remember_result(asked.run, asked.call, text)
        return text

    return read


def _failed(error: HoldfastError, kind: Any) -> Exception:
    failure = Failure(kind=kind, message=str(error), error=type(error).__name__)
    return application_error(failure, retry=kind == "transient")


async def read_page(store: ArtifactStore, asked: ArtifactRead) -> str:
    """A page as the model reads it: whole characters, where it stands, and how to go on."""
    ref, offset, at = asked.artifact, asked.offset, None
    if asked.find:
        at = await store.find(ref.id, asked.find.encode("utf-8", "replace"), offset)
        if at is None:
            return not_found(ref, asked.find, offset)
        offset = max(0, at - min(BEFORE_FOUND_BYTES, asked.length // 2))
    data = await store.read(ref.id, offset, offset + asked.length + 3)
    return page_text(ref, data, offset, asked.length, found_at=at)
