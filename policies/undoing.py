"""Taking back: which calls, in what order, and how to say what came of it."""

from collections.abc import Iterable

from holdfast.contracts.undo import DoneCall, UndoneCall


def step_of(call: str) -> int:
    """The step of a call, given its id: 3 of `3.1`."""
    return int(call.partition(".")[0])


def to_take_back(
    done: list[DoneCall], calls: list[str] | None, to_step: int | None, *, forgotten: bool = False
) -> list[DoneCall]:
    """The calls to take back, last first: those named, and of these only what came after step `to_step`.

    With `forgotten` only what the run has gone back behind.
    """
    return [
        one
        for one in reversed(done)
        if (calls is None or one.input.call in calls)
        and (to_step is None or step_of(one.input.call) > to_step)
        and (one.forgotten or not forgotten)
    ]


def failed(undone: Iterable[UndoneCall]) -> list[UndoneCall]:
    """Those whose undo did not succeed: trying again may help."""
    return [one for one in undone if one.outcome == "failed"]


def in_words(undone: list[UndoneCall]) -> str:
    """`2 effects were taken back; not 2.1 announce: nothing can take it back`. Empty when there were none."""
    if not undone:
        return ""
    count = sum(1 for one in undone if one.outcome == "undone")
    told = f"{count} effect{'' if count == 1 else 's'} {'was' if count == 1 else 'were'} taken back"
    left = "; ".join(
        f"not {one.call} {one.tool}: {why_not(one)}" for one in undone if one.outcome != "undone"
    )
    return f"{told}; {left}" if left else told


def not_known(done: Iterable[DoneCall], told: Iterable[DoneCall]) -> list[DoneCall]:
    """Of the calls that a run is told it has made, those that it does not know: it may be told twice."""
    known = {(one.input.call, one.rewound) for one in done}
    return [one for one in told if (one.input.call, one.rewound) not in known]


def why_not(one: UndoneCall) -> str:
    """Why an effect still stands."""
    if one.outcome == "irreversible":
        return "nothing can take it back"
    return one.failure.message if one.failure else "its undo failed"
