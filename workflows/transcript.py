"""The transcript: the workflow is its only store, append-only, named by a chain of digests.

A plan activity is told the position and digest of what came before and only what is new since. The answer of
the planner itself is never sent again, nor are large tool results: their text is in history already, as the
result of the tool's activity, and a reference stands in for it. A worker that misses anything asks by query.
"""

from typing import Self

from holdfast.contracts.base import JsonObject
from holdfast.contracts.digests import EMPTY_CHAIN, canonical, chain
from holdfast.contracts.messages import REFERENCE, REFERENCE_MIN_CHARS, Message, Page, PageRequest
from holdfast.contracts.state import ResultBlock, TranscriptState
from workflows.log import Log

LARGE_MESSAGE_BYTES = 256 * 1024
"""A larger message is never sent along: an activity's input must stay below 2 MB. The worker asks for it."""

UNKNOWN_CALL = ""
"""In a reference: no call's result, so no worker has it and all ask the workflow."""

_UNKNOWN: JsonObject = {"type": REFERENCE, "call": UNKNOWN_CALL}


class Transcript:
    """Messages, the digest after each, and how many of them the planners' workers have been sent."""

    def __init__(self) -> None:
        self.messages: Log[Message] = Log()
        self.archived = 0
        """How many messages are laid aside: a page of them is told by the archive."""
        self._digests = Log([EMPTY_CHAIN])
        self._sizes: Log[int] = Log()
        self._planned = 0
        self._calls: dict[tuple[int, int], str] = {}

    def append(self, message: Message, calls: dict[int, str] | None = None) -> None:
        """Add a message; `calls` names, by block index, the calls whose results its blocks are."""
        for block, call in (calls or {}).items():
            self._calls[len(self.messages), block] = call
        self.messages.append(message)
        body = message.model_dump(mode="json")
        self._sizes.append(len(canonical(body)))
        self._digests.append(chain(self._digests[-1], body))

    def replace_last(self, content: list[JsonObject]) -> None:
        """Say something else in the last message, which no planner has been sent yet."""
        at = len(self.messages) - 1
        last = self.messages.held.pop()
        self._sizes.held.pop()
        self._digests.held.pop()
        self._calls = {key: call for key, call in self._calls.items() if key[0] != at}
        self.append(last.model_copy(update={"content": content}))

    def planned(self) -> None:
        """The last message is a planner's answer: its worker knows everything up to here."""
        self._planned = len(self.messages)

    def back_to(self, position: int) -> None:
        """Go on from the first `position` messages, of which the last must not be archived.

        No planner sees what was said since; it stays in the run's steps, events and history.
        """
        self.messages.cut(position)
        self._sizes.cut(position)
        self._digests.cut(position + 1)
        self._calls = {at: call for at, call in self._calls.items() if at[0] < position}
        answers = [
            at for at, said in enumerate(self.messages, self.messages.start) if said.role == "assistant"
        ]
        self._planned = answers[-1] + 1 if answers else self.messages.start

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
        self._sizes.drop(needed)
        self._digests.drop(needed)
        self._calls = {key: call for key, call in self._calls.items() if key[0] >= needed}
        room = LARGE_MESSAGE_BYTES
        for index in range(needed, count):
            room -= self._sizes[index]
            if room < 0:  # workers are sent nothing of it and ask for it, so it need not be held
                held = self.messages.held[index - needed]
                self.messages.held[index - needed] = held.model_copy(update={"content": [_UNKNOWN]})
                self._sizes.held[index - needed] = LARGE_MESSAGE_BYTES + 1

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
        )

    @classmethod
    def load(cls, state: TranscriptState) -> Self:
        """The transcript that was dumped."""
        made = cls()
        total = state.start + len(state.messages)
        made.messages = Log(state.messages, total)
        made._sizes = Log(state.sizes, total)
        made._digests = Log(state.digests, total + 1)
        made._planned = state.planned
        made.archived = state.archived
        made._calls = {(one.message, one.block): one.call for one in state.results}
        return made

    def _referring(self, index: int) -> Message:
        message = self.messages[index]
        if self._sizes[index] > LARGE_MESSAGE_BYTES:
            return message.model_copy(update={"content": [_UNKNOWN]})
        blocks = [self._reference(index, at, block) for at, block in enumerate(message.content)]
        return message.model_copy(update={"content": blocks})

    def _reference(self, index: int, at: int, block: JsonObject) -> JsonObject:
        call = self._calls.get((index, at))
        if call is None or len(block["content"]) < REFERENCE_MIN_CHARS:
            return block
        rest = {key: value for key, value in block.items() if key not in ("type", "content")}
        return {**rest, "type": REFERENCE, "call": call}
