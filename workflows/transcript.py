"""The transcript: the workflow is its only store, append-only, named by a chain of digests.

A plan activity is told the position and digest of what came before and only what is new since. The answer of
the planner itself is never sent again, nor are large tool results: their text is in history already, as the
result of the tool's activity, and a reference stands in for it. A worker that misses anything asks by query.

After a compaction planners see an opening (the task with a summary) and the messages from `view.start` on. Places and
digests stay those of the whole transcript, so a worker that knew it knows what is left of it, and history gets nothing
but the digest of the opening. The opening is asked for by query.
"""

from typing import NamedTuple, Self, TypedDict

from holdfast.contracts.base import JsonObject
from holdfast.contracts.digests import EMPTY_CHAIN, canonical, chain
from holdfast.contracts.messages import (
    REFERENCE,
    REFERENCE_MIN_CHARS,
    Message,
    Page,
    PageRequest,
    text_block,
)
from holdfast.contracts.plans import Seen
from holdfast.contracts.state import ResultBlock, TranscriptState
from holdfast.contracts.summaries import View
from workflows.log import Log

LARGE_MESSAGE_BYTES = 256 * 1024
"""A larger message is never sent along: an activity's input must stay below 2 MB. The worker asks for it."""

UNKNOWN_CALL = ""
"""In a reference: no call's result, so no worker has it and all ask the workflow."""

_UNKNOWN: JsonObject = {"type": REFERENCE, "call": UNKNOWN_CALL}


VIEWS_KEPT = 20
"""Of so many compactions it is known what planners saw before, for those who go back."""

LISTED = 128
"""Of so many of the last messages size and role are known, whatever is archived: more are never kept by a compaction."""


class Asked(TypedDict):
    """The fields of a `PlanInput` that name the transcript."""

    position: int
    before: str
    new: list[Message]
    after: str
    seen: Seen | None


class Shown(NamedTuple):
    """What planners see, message by message; item `n` is message `base + n` of the transcript.

    (But for the first, the task, and one that may stand for several.)
    """

    roles: list[str]
    sizes: list[int]
    base: int


class Transcript:
    """Messages, the digest after each, and how many of them the planners' workers have been sent."""

    def __init__(self) -> None:
        self.messages: Log[Message] = Log()
        self.archived = 0
        """How many messages are laid aside: a page of them is told by the archive."""
        self.views: list[View] = []
        """What planners have seen, since each compaction; the last is what they see."""
        self.first: Message | None = None
        """The task, also when it is archived."""
        self._digests = Log([EMPTY_CHAIN])
        self._sizes: Log[int] = Log()
        self._roles: Log[str] = Log()
        self._dropped_bytes = 0
        """The size of the messages behind the task whose sizes are not listed any more."""
        self._opening: tuple[Message, str, int] | None = None
        self._planned = 0
        self._calls: dict[tuple[int, int], str] = {}

    def append(self, message: Message, calls: dict[int, str] | None = None) -> None:
        """Add a message; `calls` names, by block index, the calls whose results its blocks are."""
        for block, call in (calls or {}).items():
            self._calls[len(self.messages), block] = call
        self.first = self.first or message
        self.messages.append(message)
        body = message.model_dump(mode="json")
        self._roles.append(message.role)
        self._sizes.append(len(canonical(body)))
        self._digests.append(chain(self._digests[-1], body))

    def replace_last(self, content: list[JsonObject]) -> None:
        """Say something else in the last message, which no planner has been sent yet."""
        at = len(self.messages) - 1
        last = self.messages.held.pop()
        self._sizes.held.pop()
        self._roles.held.pop()
        self._digests.held.pop()
        if at == 0:
            self.first = self._opening = None
        self._calls = {key: call for key, call in self._calls.items() if key[0] != at}
        self.append(last.model_copy(update={"content": content}))

    def planned(self) -> None:
        """The last message is a planner's answer: its worker knows everything up to here."""
        self._planned = len(self.messages)

    def back_to(self, position: int) -> None:
        """Go on from the first `position` messages, of which the last must not be archived.

        No planner sees what was said since; it stays in the run's steps, events and history.
        """
        self._cut(position)
        answers = [
            at for at, said in enumerate(self.messages, self.messages.start) if said.role == "assistant"
        ]
        self._planned = max(self.view.start, answers[-1] + 1 if answers else self.messages.start)

    def _cut(self, position: int) -> None:
        self.messages.cut(position)
        self._sizes.cut(position)
        self._roles.cut(position)
        self._digests.cut(position + 1)
        self._calls = {at: call for at, call in self._calls.items() if at[0] < position}
        # A later summary tells of what is not to be seen.
        self.views, self._opening = [view for view in self.views if view.made_at <= position], None

    @property
    def view(self) -> View:
        """What planners see."""
        return self.views[-1] if self.views else View()

    @property
    def position(self) -> int:
        """How many messages the last planner's worker knows."""
        return self._planned

    @property
    def before(self) -> str:
        """The digest of those."""
        return self._digests[self._planned]

    @property
    def after(self) -> str:
        """The digest of all messages."""
        return self._digests[-1]

    def new(self) -> list[Message]:
        """What was said since, with references in place of large results."""
        return [self._referring(index) for index in range(self._planned, len(self.messages))]

    def asked(self, *, whole: bool) -> Asked:
        """The transcript as an activity is told of it; `whole` for those that need every message (rules do)."""
        seen = None
        if self.view.start and not whole:
            seen = Seen(start=self.view.start, base=self.view.base, opening=self.opening()[1])
        return Asked(position=self.position, before=self.before, new=self.new(), after=self.after, seen=seen)

    def shown(self) -> Shown:
        """Roles and sizes of what planners see. What is older than the last messages counts as one."""
        first = max(self.view.start, 1, self._sizes.start)
        roles, sizes = ["user"], [self.opening()[2]]
        unlisted = self._dropped_bytes - self.view.before_bytes
        if unlisted > 0:
            roles.append("user")
            sizes.append(unlisted)
        base = first - len(roles)
        return Shown([*roles, *self._roles[first:]], [*sizes, *self._sizes[first:]], base)

    def opening(self) -> tuple[Message, str, int]:
        """The message that planners see first, its digest and its size in bytes."""
        if self._opening is None:
            assert self.first is not None  # noqa: S101  # a run begins with its task
            content = [*self.first.content, *([text_block(self.view.summary)] if self.view.start else [])]
            message = self.first.model_copy(update={"content": content})
            body = message.model_dump(mode="json")
            self._opening = message, chain(EMPTY_CHAIN, body), len(canonical(body))
        return self._opening

    def compact(self, summary: str, start: int) -> None:
        """Show planners the task with the summary, then the messages from `start` on."""
        before = self._dropped_bytes + sum(self._sizes[max(1, self._sizes.start) : start])
        view = View(
            start=start,
            made_at=len(self.messages),
            base=self._digests[start],
            before_bytes=before,
            summary=summary,
        )
        self.views = [*self.views[1 - VIEWS_KEPT :], view]
        self._opening = None
        self._planned = max(self._planned, start)

    def opening_page(self) -> Page:
        """The opening, as the answer to a query."""
        return Page(position=0, total=len(self.messages), messages=[self.opening()[0]])

    def page(self, asked: PageRequest) -> Page:
        """Whole messages from `start` on, before `stop`, up to `max_bytes`, at least one; none that is archived."""
        if asked.start < self.archived:
            return Page(position=asked.start, total=len(self.messages), messages=[])
        found: list[Message] = []
        size = 0
        for index in range(asked.start, min(asked.stop, len(self.messages))):
            message = self.messages[index]
            size += self._sizes[index]
            if found and size > asked.max_bytes:
                break
            found.append(message)
        return Page(position=asked.start, total=len(self.messages), messages=found)

    def archive(self, count: int) -> None:
        """The first `count` messages are laid aside: hold only what the next plan must be told of."""
        self.archived = count
        needed = min(self._planned, count)
        self.messages.drop(needed)
        listed = min(needed, max(0, len(self.messages) - LISTED))
        self._dropped_bytes += sum(self._sizes[max(1, self._sizes.start) : listed])
        self._sizes.drop(listed)
        self._roles.drop(listed)
        self._digests.drop(listed)
        self._calls = {key: call for key, call in self._calls.items() if key[0] >= needed}
        room = LARGE_MESSAGE_BYTES
        for index in range(needed, count):
            room -= self._sizes[index]
            if room < 0:  # workers are sent nothing of it and ask for it, so it need not be held
                held = self.messages.held[index - needed]
                self.messages.held[index - needed] = held.model_copy(update={"content": [_UNKNOWN]})

    def dump(self) -> TranscriptState:
        """The transcript as data."""
        return TranscriptState(
            start=self.messages.start,
            messages=self.messages.held,
            digests=self._digests.held,
            sizes=self._sizes.held,
            planned=self._planned,
            archived=self.archived,
            results=[
                ResultBlock(message=at, block=block, call=call) for (at, block), call in self._calls.items()
            ],
            roles="".join(role[0] for role in self._roles),
            dropped_bytes=self._dropped_bytes,
            views=self.views,
            beside_task=self.first and self.first.model_copy(update={"content": self.first.content[1:]}),
        )

    @classmethod
    def load(cls, state: TranscriptState, task: str) -> Self:
        """The transcript that was dumped, of a run with this task."""
        made = cls()
        total = state.start + len(state.messages)
        made.messages = Log(state.messages, total)
        made._sizes = Log(state.sizes, total)
        made._digests = Log(state.digests, total + 1)
        roles = state.roles or "".join(message.role[0] for message in state.messages)
        made._roles = Log(["user" if role == "u" else "assistant" for role in roles], total)
        made._dropped_bytes = state.dropped_bytes
        made.views = list(state.views)
        beside = state.beside_task.content if state.beside_task is not None else []
        made.first = Message(role="user", content=[text_block(task), *beside])
        made._planned = state.planned
        made.archived = state.archived
        made._calls = {(one.message, one.block): one.call for one in state.results}
        return made

    def as_of(self, position: int, planned: int) -> TranscriptState:
        """What it was when it had `position` messages, of which workers knew `planned`. It is of no use afterwards."""
        if (
            position < self.messages.start
        ):  # laid aside by an execution about to end: whoever asks fills it up
            self.messages, self._sizes, self._roles = (Log((), position) for _ in range(3))
            self._digests, self._calls = Log((), position + 1), {}
        self._cut(position)
        self._planned = max(planned, self.view.start)
        self.archived = min(self.archived, position)
        return self.dump()

    def _referring(self, index: int) -> Message:
        message = self.messages[index]
        if message.content == [_UNKNOWN] or self._sizes[index] > LARGE_MESSAGE_BYTES:
            return message.model_copy(update={"content": [_UNKNOWN]})
        blocks = [self._reference(index, at, block) for at, block in enumerate(message.content)]
        return message.model_copy(update={"content": blocks})

    def _reference(self, index: int, at: int, block: JsonObject) -> JsonObject:
        call = self._calls.get((index, at))
        if call is None or len(block["content"]) < REFERENCE_MIN_CHARS:
            return block
        rest = {key: value for key, value in block.items() if key not in ("type", "content")}
        return {**rest, "type": REFERENCE, "call": call}
