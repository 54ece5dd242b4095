"""Which answer the scripted model plays for which request: in order, by conversation, or by a function."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from holdfast.testing.answers import Answer, Fault, Step
from holdfast.testing.model_request import ModelRequest

StepFunction: TypeAlias = Callable[[ModelRequest], Step | Awaitable[Step]]
"""A script as a function, sync or async: it looks at the request and says what to play."""


class ScriptRanOut(Exception):
    """A request came for which the script holds no answer. Whoever wrote the test adds one, or finds out why it came."""


class Script(ABC):
    """Decides what is played. Subclass it for a rule of your own, or pass a function."""

    @abstractmethod
    async def step_for(self, request: ModelRequest) -> Step:
        """What to play for this request; raises `ScriptRanOut` when there is nothing left."""

    def unplayed(self) -> list[str]:
        """What has not been played yet, one line each; a script that cannot know returns nothing."""
        return []


class InOrder(Script):
    """Plays a list from front to back, one step a request, whoever asks."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """Plays `steps` in this order."""
        self._steps = list(steps)
        self._next = 0

    async def step_for(self, request: ModelRequest) -> Step:  # noqa: ARG002 - the list asks nothing of it
        """The next step of the list."""
        if self._next >= len(self._steps):
            raise ScriptRanOut(f"it holds {_count(self._steps)}, all of them played")
        self._next += 1
        return self._steps[self._next - 1]

    def unplayed(self) -> list[str]:
        """The steps behind the last one played."""
        return [f"step {at + 1}: {step}" for at, step in enumerate(self._steps) if at >= self._next]


class ByFunction(Script):
    """Asks a function."""

    def __init__(self, function: StepFunction) -> None:
        """Plays what `function` returns for a request."""
        self._function = function

    async def step_for(self, request: ModelRequest) -> Step:
        """What the function returns."""
        step = self._function(request)
        return await step if inspect.isawaitable(step) else step


class ByConversation(Script):
    """Plays to each conversation its own copy of a list, at the place where its transcript stands.

    The place is the number of assistant messages in the request, so a repeated request (a retry, a worker that was
    killed) gets the same answer again. What does not arrive whole (`fault`, `cut`, `hang`, `stream_error` …) takes no
    place: it is played once, before the answer that follows it in the list.

    A transcript that is compacted on the way loses its place; use a function for that.
    """

    def __init__(self, steps: Sequence[Step] | Mapping[str, Sequence[Step]]) -> None:
        """Plays `steps` to every conversation, or, given a mapping, to those whose first message holds the key."""
        table = steps if isinstance(steps, Mapping) else {"": steps}
        self._turns = {key: _by_turn(listed) for key, listed in table.items()}
        self._attempts: Counter[tuple[str, int]] = Counter()
        self._reached: dict[str, tuple[str, int]] = {}

    async def step_for(self, request: ModelRequest) -> Step:
        """The step at the place of this request's conversation."""
        name, turn = request.conversation, request.turn
        keys = [key for key in self._turns if key in name]
        if not keys:
            raise ScriptRanOut(f"it has no list for the conversation that starts with {name[:80]!r}")
        key = max(keys, key=len)
        turns = self._turns[key]
        attempt = self._attempts[name, turn]
        if turn >= len(turns) or (attempt >= len(turns[turn]) and not _arrives(turns[turn][-1])):
            raise ScriptRanOut(
                f"it holds {_count([turn for turn in turns if _arrives(turn[-1])])} for the conversation that starts "
                f"with {name[:80]!r}, and this request stands at answer {turn + 1}"
            )
        self._attempts[name, turn] += 1
        self._reached[name] = (key, max(turn, self._reached.get(name, (key, 0))[1]))
        return turns[turn][min(attempt, len(turns[turn]) - 1)]

    def unplayed(self) -> list[str]:
        """The answers behind the furthest place of each conversation, and the lists that nobody asked for."""
        seen = {key for key, _ in self._reached.values()}
        lines = [f"the whole list of {key!r}" for key in self._turns if key not in seen]
        for name, (key, reached) in self._reached.items():
            left = self._turns[key][reached + 1 :]
            lines += [
                f"{name[:40]!r}, answer {reached + 2 + at}: {steps[-1]}" for at, steps in enumerate(left)
            ]
        return lines


def by_conversation(steps: Sequence[Step] | Mapping[str, Sequence[Step]]) -> ByConversation:
    """A script for concurrent runs and for runs whose worker is killed: see `ByConversation`.

    `MessagesServer(by_conversation([call("list_instances"), fault(529), finish()]))`
    `MessagesServer(by_conversation({"Count the servers": [...], "Stop the idle ones": [...]}))`
    """
    return ByConversation(steps)


def as_script(source: Script | StepFunction | Sequence[Step]) -> Script:
    """A script from what a test writes: a script, a function, or a list of steps. Raises TypeError for other things."""
    if isinstance(source, Script):
        return source
    if callable(source):
        return ByFunction(source)
    for at, step in enumerate(source):
        if not isinstance(step, Answer | Fault):
            raise TypeError(
                f"Step {at + 1} of the script is {step!r}. A step is built with say(), call(), fault() and their like."
            )
    return InOrder(source)


def _by_turn(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps in groups: each answer with the faults that go before it."""
    turns: list[list[Step]] = []
    open_group = False
    for step in steps:
        if open_group:
            turns[-1].append(step)
        else:
            turns.append([step])
        open_group = not _arrives(step)
    return turns


def _arrives(step: Step) -> bool:
    return isinstance(step, Answer) and step.delivery.completes


def _count(steps: Sequence[object]) -> str:
    return "1 step" if len(steps) == 1 else f"{len(steps)} steps"
