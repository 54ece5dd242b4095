"""What this worker remembers of the transcripts of the runs it has planned for.

A cache and no more: each entry is a chain of digests, so a wrong or stale one is noticed, and what is missing
is asked of the run's workflow by query, which leaves no trace in history.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from holdfast.contracts.digests import EMPTY_CHAIN, canonical, chain
from holdfast.contracts.messages import REFERENCE, REFERENCE_MIN_CHARS, Message, Page, PageRequest
from holdfast.contracts.plans import PlanInput, Seen

Fetch = Callable[[PageRequest], Awaitable[Page]]
"""Asks the workflow of a run for a page of its transcript."""

DEFAULT_CACHE_BYTES = 256 * 1024 * 1024

OBJECTS_BYTES = 1300
"""What the objects of one message take in memory beside its text: measured, on CPython 3.11."""


class TranscriptMismatch(Exception):  # named for what is wrong
    """The workflow's own pages do not have the digest that the plan names: a bug, or another run's id."""


@dataclass
class _Entry:
    """The messages of a transcript from `start` on; `digests` tells of the whole before and after each of them."""

    start: int = 0
    messages: list[Message] = field(default_factory=list)
    digests: list[str] = field(default_factory=lambda: [EMPTY_CHAIN])
    sizes: list[int] = field(default_factory=list)
    size: int = 0
    opening: Message | None = None
    opening_digest: str = ""
    opening_size: int = 0

    @property
    def end(self) -> int:
        """The place behind the last message."""
        return self.start + len(self.messages)

    def append(self, message: Message) -> None:
        body = message.model_dump(mode="json")
        self.messages.append(message)
        self.digests.append(chain(self.digests[-1], body))
        self.sizes.append(len(canonical(body)) + OBJECTS_BYTES)
        self.size += self.sizes[-1]

    def holds(self, position: int, digest: str) -> bool:
        """Whether the first `position` messages of the whole are those of that digest."""
        return self.start <= position <= self.end and self.digests[position - self.start] == digest

    def cut(self, position: int) -> None:
        """Forget everything from `position` on."""
        at = max(0, position - self.start)
        self.size -= sum(self.sizes[at:])
        del self.messages[at:], self.digests[at + 1 :], self.sizes[at:]

    def drop(self, start: int) -> None:
        """Forget everything before `start`."""
        at = start - self.start
        self.size -= sum(self.sizes[:at])
        del self.messages[:at], self.digests[:at], self.sizes[:at]
        self.start = start


class TranscriptCache:
    """Transcripts of runs and results of calls, least recently used forgotten first, bounded in bytes."""

    def __init__(self, max_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._results: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._bytes = 0
        self._result_bytes = 0

    def remember_result(self, run: str, call: str, text: str) -> None:
        """Keep the rendered result of a call that this worker carried out, until a plan refers to it.

        No plan refers to a short one.
        """
        self._forget_result((run, call))
        if len(text) < REFERENCE_MIN_CHARS:
            return
        self._results[run, call] = text
        self._result_bytes += len(text)
        while self._result_bytes > self._max_bytes // 4 and self._results:
            self._forget_result(next(iter(self._results)))

    def append(self, run: str, after: str, message: Message) -> None:
        """Keep a planner's answer to the transcript that has the digest `after`."""
        entry = self._entries.get(run)
        if entry is not None and entry.digests[-1] == after:
            size = entry.size
            entry.append(message)
            self._bytes += entry.size - size

    def forget(self, run: str) -> None:
        """A run that has most likely ended needs no room; one that goes on all the same is asked for its messages."""
        self._taken(run)

    def shed(self) -> int:
        """Forget everything, since memory is short; the bytes that it took, about."""
        freed = self._bytes + self._result_bytes
        self._entries.clear()
        self._results.clear()
        self._bytes = self._result_bytes = 0
        return freed

    async def assemble(self, asked: PlanInput, fetch: Fetch) -> list[Message]:
        """The transcript that a plan is asked for, the whole or what is seen of it. Raises TranscriptMismatch."""
        known = _beginning(self._taken(asked.run), asked)
        entry = self._extended(known, asked) or await self._completed(known, asked, fetch)
        if asked.seen is not None:
            await _open(entry, asked, asked.seen, fetch)
        self._taken(asked.run)  # another attempt may have put one there in the meantime
        self._entries[asked.run] = entry
        self._bytes += entry.size
        while self._bytes > self._max_bytes and len(self._entries) > 1:
            _, old = self._entries.popitem(last=False)
            self._bytes -= old.size
        shown = entry.opening if asked.seen is not None else None
        return [*([shown] if shown is not None else []), *entry.messages]

    def _taken(self, run: str) -> _Entry | None:
        entry = self._entries.pop(run, None)
        if entry is not None:
            self._bytes -= entry.size
        return entry

    def _extended(self, known: _Entry, asked: PlanInput) -> _Entry | None:
        """The entry with the new messages, if everything they refer to is known here."""
        end = asked.position + len(asked.new)
        if known.holds(end, asked.after):  # an earlier attempt has put it together
            known.cut(end)
            return known
        if not known.holds(asked.position, asked.before):
            return None
        known.cut(asked.position)
        for message in asked.new:
            filled = self._filled(asked.run, message)
            if filled is None:
                return None
            known.append(filled)
        return known if known.digests[-1] == asked.after else None

    def _filled(self, run: str, message: Message) -> Message | None:
        """The message with the texts its references stand for, or None when one is not known here."""
        content = []
        for block in message.content:
            if block.get("type") != REFERENCE:
                content.append(block)
                continue
            text = self._results.get((run, block["call"]))
            if text is None:
                return None
            rest = {key: value for key, value in block.items() if key not in ("type", "call")}
            content.append({"type": "tool_result", **rest, "content": text})
        for block in message.content:
            if block.get("type") == REFERENCE:
                self._forget_result((run, block["call"]))
        return message.model_copy(update={"content": content})

    async def _completed(self, known: _Entry, asked: PlanInput, fetch: Fetch) -> _Entry:
        """The transcript, of which only what is not known here is fetched, if what is known proves right."""
        if known.messages:
            known.cut(asked.position)
            if await self._fetched(known, asked, fetch):
                return known
        entry = _beginning(None, asked)
        if not await self._fetched(entry, asked, fetch):
            raise TranscriptMismatch(
                f"the transcript of {asked.run} has {entry.end} messages with digest "
                f"{entry.digests[-1]}, and the plan was asked for {asked.position + len(asked.new)} with {asked.after}"
            )
        return entry

    async def _fetched(self, entry: _Entry, asked: PlanInput, fetch: Fetch) -> bool:
        """Fetch what the entry lacks; whether the whole is then what the plan was asked for."""
        stop = asked.position + len(asked.new)
        while entry.end < stop:
            page = await fetch(PageRequest(start=entry.end, stop=stop))
            if not page.messages:
                break
            for message in page.messages:
                entry.append(message)
        return entry.digests[-1] == asked.after

    def _forget_result(self, key: tuple[str, str]) -> None:
        text = self._results.pop(key, None)
        self._result_bytes -= len(text) if text is not None else 0


def _beginning(known: _Entry | None, asked: PlanInput) -> _Entry:
    """What is known of the messages that are asked for: an entry that begins where they do."""
    start, base = (asked.seen.start, asked.seen.base) if asked.seen is not None else (0, EMPTY_CHAIN)
    if known is not None and known.holds(start, base):
        known.drop(start)
        return known
    return _Entry(start=start, digests=[base])


async def _open(entry: _Entry, asked: PlanInput, seen: Seen, fetch: Fetch) -> None:
    """See to it that the entry has its opening. Raises TranscriptMismatch."""
    if entry.opening_digest == seen.opening:
        return
    page = await fetch(PageRequest(start=0, stop=0, opening=True))
    for message in page.messages:
        body = message.model_dump(mode="json")
        if chain(EMPTY_CHAIN, body) == seen.opening:
            size = len(canonical(body))
            entry.size += size - entry.opening_size
            entry.opening, entry.opening_digest, entry.opening_size = message, seen.opening, size
            return
    raise TranscriptMismatch(
        f"{asked.run} does not have the opening {seen.opening} that the plan was asked for"
    )
