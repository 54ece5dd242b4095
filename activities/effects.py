"""The effects of a run, asked of the run itself; also of one that has ended."""

from collections.abc import Awaitable, Callable

from temporalio import activity

from activities.run_queries import ask_run
from holdfast.contracts import names
from holdfast.contracts.undo import DoneCall, EffectsRequest

ListEffects = Callable[[EffectsRequest], Awaitable[list[DoneCall]]]


def list_effects() -> ListEffects:
    """The activity that an undo begins with."""

    @activity.defn(name=names.LIST_EFFECTS)
    async def effects_of(asked: EffectsRequest) -> list[DoneCall]:
        found: list[DoneCall] = await ask_run(asked.run, names.EFFECTS, asked, result_type=list[DoneCall])
        return found

    return effects_of
