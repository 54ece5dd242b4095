"""Transcripts that were compacted, archived, carried on and taken back: planners see what they should, workers seldom ask."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.contracts.messages import Message, Page, PageRequest, text_block, user_text
from holdfast.contracts.plans import PlanInput
from holdfast.contracts.state import TranscriptState
from tests.activities.test_transcripts import LARGE, RUN, Worker, begun, calling, results, sent
from workflows import transcript as transcript_module
from workflows.transcript import Transcript


def asked_of(transcript: Transcript, *, whole: bool = False) -> PlanInput:
    """What the workflow asks a planner's worker."""
    return PlanInput(run=RUN, agent="a", digest="d", step=1, rung=0, **transcript.asked(whole=whole))


class Reader(Worker):
    """A worker that reads what is archived from the archive, and an opening from the run."""

    archive: list[Message]

    async def fetch(self, asked: PageRequest) -> Page:
        """What the query answers, or the archive."""
        self.fetches += 1
        if asked.opening:
            return sent(self.transcript.opening_page())
        page = sent(self.transcript.page(sent(asked)))
        stop = min(asked.stop, self.transcript.archived)
        return (
            page.model_copy(update={"messages": self.archive[asked.start : stop]})
            if asked.start < stop
            else page
        )


def test_a_worker_that_knew_the_whole_asks_for_the_opening_only() -> None:
    """The messages that are kept are those it has; it forgets what nobody sees any more."""
    transcript = begun()
    worker = Reader(transcript)
    for step in range(1, 11):
        asked = asked_of(transcript)
        worker.assemble(asked)
        answer = calling(f"{step}.1")
        worker.cache.append(RUN, asked.after, answer)
        transcript.append(answer)
        transcript.planned()
        results(transcript, {f"{step}.1": "short"})
    assert worker.fetches == 0
    transcript.compact("Ten steps.", 17)
    asked = asked_of(transcript)
    assert worker.assemble(asked) == [transcript.opening()[0], *transcript.messages[17:]]
    assert worker.fetches == 1
    assert len(asked.model_dump_json()) < 1_000, "the summary is not part of history"
    assert worker.cache._entries[RUN].messages == transcript.messages[17:]


class Compacted(RuleBasedStateMachine):
    """One run that two workers plan for, in however many executions, with whatever was compacted."""

    @initialize()
    def begin(self) -> None:
        """A task, and two workers that know nothing. Of few messages more than the size is known."""
        self.few = patch.object(transcript_module, "LISTED", 5)
        self.few.start()
        self.whole = [user_text("Look around.")]
        self.start, self.summary = 0, ""
        self.views = [(0, 0, "")]
        self.archive: list[Message] = []
        self.transcript = begun()
        self.workers = [self.worker(), self.worker()]
        self.step = 0

    def worker(self) -> Reader:
        """A worker that knows nothing."""
        made = Reader(self.transcript)
        made.archive = self.archive
        return made

    def seen(self) -> list[Message]:
        """What a model should see now."""
        if not self.start:
            return self.whole
        task = self.whole[0]
        opening = task.model_copy(update={"content": [*task.content, text_block(self.summary)]})
        return [opening, *self.whole[self.start :]]

    def teardown(self) -> None:
        """As it was."""
        self.few.stop()

    @rule(on=st.integers(0, 1), whole=st.booleans(), large=st.sampled_from([False] * 7 + [True]))
    def step_on(self, on: int, whole: bool, large: bool) -> None:
        """A model or rules plan, and one call is made."""
        self.step += 1
        worker, asked = self.workers[on], asked_of(self.transcript, whole=whole)
        assert worker.assemble(asked) == (self.whole if whole else self.seen())
        call, text = f"{self.step}.1", LARGE * 600 if large else "short"
        answer = calling(call)
        worker.cache.append(RUN, asked.after, answer)
        worker.cache.remember_result(RUN, call, text)
        self.transcript.append(answer)
        self.transcript.planned()
        results(self.transcript, {call: text})
        self.whole += self.transcript.messages[-2:]

    @rule(back=st.integers(0, 6))
    def compact(self, back: int) -> None:
        """A summary takes the place of all but the last messages."""
        shown = self.transcript.shown()
        if len(shown.roles) < 3:
            return
        at = max(2, len(shown.roles) - back)
        self.start, self.summary = shown.base + at, f"Summary {self.step}."
        self.transcript.compact(self.summary, self.start)
        self.views.append((len(self.whole), self.start, self.summary))

    @rule(aside=st.booleans())
    def go_on(self, aside: bool) -> None:
        """The run goes on in a new execution, and has laid its past aside."""
        if aside:
            self.archive[:] = self.whole
            self.transcript.archive(len(self.whole))
        state = TranscriptState.model_validate_json(self.transcript.dump().model_dump_json())
        self.transcript = Transcript.load(state, "Look around.")
        for worker in self.workers:
            worker.transcript = self.transcript

    @rule(steps=st.integers(1, 4))
    def go_back(self, steps: int) -> None:
        """A human takes it back to before an earlier step, of which nothing is archived."""
        position = len(self.whole) - 2 * steps
        if position < max(1, self.transcript.archived):
            return
        self.transcript.back_to(position)
        self.transcript.append(user_text("Go on from here."))
        self.whole = [*self.whole[:position], self.transcript.messages[-1]]
        self.views = [view for view in self.views if view[0] <= position] or [(0, 0, "")]
        _, self.start, self.summary = self.views[-1]

    @rule(steps=st.integers(1, 4))
    def fork(self, steps: int) -> None:
        """Another run begins as this one was after an earlier step: its planners see what this one's saw then."""
        position = len(self.whole) - 2 * steps
        if position < max(1, self.transcript.archived):
            return
        state = TranscriptState.model_validate_json(self.transcript.dump().model_dump_json())
        _, start, summary = [view for view in [(0, 0, ""), *self.views] if view[0] <= position][-1]
        then = Transcript.load(state, "").as_of(position, position)
        worker = Reader(Transcript.load(then, "Look around."))
        worker.archive = self.archive
        seen = worker.assemble(asked_of(worker.transcript))
        assert seen[1:] == self.whole[start or 1 : position]
        assert [block["text"] for block in seen[0].content][1:] == ([summary] if start else [])

    @rule(on=st.integers(0, 1))
    def lose_a_cache(self, on: int) -> None:
        """A worker dies, and another takes its place."""
        self.workers[on] = self.worker()

    @invariant()
    def what_is_shown_is_what_is_counted(self) -> None:
        """Sizes and roles add up to what planners see, however little of it the run still holds."""
        if not hasattr(self, "whole"):
            return
        shown, seen = self.transcript.shown(), self.seen()
        sizes = self.transcript.opening()[2] + sum(
            len(message.model_dump_json().encode()) for message in seen[1:]
        )
        assert abs(sum(shown.sizes) - sizes) <= 0.02 * sizes + 8 * len(seen)
        assert shown.base + len(shown.roles) == len(self.whole)
        known = len(self.whole) - self.transcript._sizes.start
        last = [message.role for message in seen][1:][-known:] if known else []
        assert shown.roles[len(shown.roles) - len(last) :] == last
        for worker in self.workers:
            assert worker.cache._bytes == sum(entry.size for entry in worker.cache._entries.values())


TestCompacted = Compacted.TestCase
TestCompacted.__doc__ = (
    "Whatever happened before, a model is shown the task, the summary and the last messages."
)
TestCompacted.settings = settings(max_examples=40, stateful_step_count=25)
