"""Laying aside what a run no longer needs at hand, and reading it again."""

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import activity

from activities.failing import application_error
from activities.heartbeat import heartbeating
from activities.run_queries import ask_run
from holdfast.archive import ITEMS, read_items, write_part
from holdfast.artifacts import artifact_store
from holdfast.contracts import names
from holdfast.contracts.archive import ArchivedPart, ArchiveOutcome, ArchiveRequest, PartKind, Range
from holdfast.contracts.calls import Failure
from holdfast.contracts.messages import Page, PageRequest
from holdfast.contracts.run import EventsRequest, InspectRequest, RunEvent, RunView
from holdfast.contracts.undo import DoneCall, EffectsRequest
from holdfast.errors import HoldfastError

Archive = Callable[[ArchiveRequest], Awaitable[ArchiveOutcome]]


def archive() -> Archive:
    """The activity that lays parts of a run aside, before it goes on in a new execution."""

    @activity.defn(name=names.ARCHIVE)
    async def lay_aside(asked: ArchiveRequest) -> ArchiveOutcome:
        async with heartbeating(lambda: {"run": asked.run}):
            return ArchiveOutcome(parts=[await _lay_aside(asked.run, one) for one in asked.ranges])

    return lay_aside


async def archived_items(parts: list[ArchivedPart], kind: PartKind, start: int, stop: int) -> list[Any]:
    """The items in `[start, stop)`. Raises ApplicationError where an artifact cannot be had."""
    try:
        return await read_items(artifact_store(), parts, ITEMS[kind], kind, start=start, stop=stop)
    except HoldfastError as error:
        failure = Failure(kind="transient", message=str(error), error=type(error).__name__)
        raise application_error(failure, retry=True) from error


async def _lay_aside(run: str, wanted: Range) -> ArchivedPart:
    items: list[Any] = []
    while (at := wanted.start + len(items)) < wanted.stop:
        page = await _page(run, wanted.kind, at, wanted.stop)
        if not page:
            message = f"the run told {len(items)} of its {wanted.kind} {wanted.start} to {wanted.stop}"
            raise application_error(
                Failure(kind="transient", message=message, error="RunIncomplete"), retry=True
            )
        items += page[: wanted.stop - at]
    execution = activity.info().workflow_run_id or ""
    try:
        return await write_part(artifact_store(), wanted.kind, wanted.start, items, execution)
    except HoldfastError as error:
        failure = Failure(kind="transient", message=str(error), error=type(error).__name__)
        raise application_error(failure, retry=True) from error


async def _page(run: str, kind: PartKind, start: int, stop: int) -> list[Any]:
    if kind == "messages":
        page: Page = await ask_run(
            run, names.TRANSCRIPT, PageRequest(start=start, stop=stop, max_bytes=400_000), result_type=Page
        )
        return list(page.messages)
    if kind == "steps":
        view: RunView = await ask_run(
            run, names.INSPECT, InspectRequest(from_step=start + 1), result_type=RunView
        )
        return list(view.steps)
    if kind == "events":
        found: list[RunEvent] = await ask_run(
            run, names.EVENTS, EventsRequest(after=start), result_type=list[RunEvent]
        )
        return found
    done: list[DoneCall] = await ask_run(
        run, names.EFFECTS, EffectsRequest(run=run, after=start), result_type=list[DoneCall]
    )
    return done
