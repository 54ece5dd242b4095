"""The effects of a run, asked of the run itself; also of one that has ended."""

from collections.abc import Awaitable, Callable

from temporalio import activity

from activities.archive import archived_items
from activities.run_queries import ask_run
from holdfast.contracts import names
from holdfast.contracts.archive import ArchivedPart, part_with
from holdfast.contracts.pages import within_bytes
from holdfast.contracts.undo import DoneCall, EffectsRequest

MAX_ANSWER_BYTES = 1_000_000
"""The server keeps no result of 2 MB."""

ListEffects = Callable[[EffectsRequest], Awaitable[list[DoneCall]]]


def list_effects() -> ListEffects:
    """The activity that an undo begins with."""

    @activity.defn(name=names.LIST_EFFECTS)
    async def effects_of(asked: EffectsRequest) -> list[DoneCall]:
        parts: list[ArchivedPart] = await ask_run(asked.run, names.ARCHIVED, result_type=list[ArchivedPart])
        if (part := part_with(parts, "done_calls", asked.after)) is not None:
            calls = await archived_items([part], "done_calls", asked.after, part.stop)
            return within_bytes(calls, MAX_ANSWER_BYTES)
        found: list[DoneCall] = await ask_run(asked.run, names.EFFECTS, asked, result_type=list[DoneCall])
        return found

    return effects_of
