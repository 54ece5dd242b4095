"""What workers remember of transcripts, against the workflow's own store: never wrong, and seldom asking."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TypeVar

import pydantic_core
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from activities.transcripts import TranscriptCache, TranscriptMismatch
from holdfast.contracts.base import Contract
from holdfast.contracts.digests import EMPTY_CHAIN
from holdfast.contracts.messages import REFERENCE_MIN_CHARS, Message, Page, PageRequest, user_text
from holdfast.contracts.plans import PlanInput
from policies.feedback import cut, render, tool_result
from tests.strategies import json_values
from workflows.transcript import LARGE_MESSAGE_BYTES, Transcript

RUN = "run"


ContractT = TypeVar("ContractT", bound=Contract)


def sent(value: ContractT) -> ContractT:
    """The value as it comes out of Temporal's converter."""
    return type(value).model_validate_json(pydantic_core.to_json(value))


@dataclass
class Worker:
    """A process with a cache, which asks the workflow for what it misses and counts how often."""

    transcript: Transcript
    cache: TranscriptCache = field(default_factory=TranscriptCache)
    fetches: int = 0

    async def fetch(self, asked: PageRequest) -> Page:
        """What the query answers."""
        self.fetches += 1
        return sent(self.transcript.page(sent(asked)))

    def assemble(self, asked: PlanInput) -> list[Message]:
        """The transcript that a plan is asked for, as the worker puts it together."""
        return asyncio.run(self.cache.assemble(sent(asked), self.fetch))


def asked_of(transcript: Transcript, run: str = RUN) -> PlanInput:
    """What the workflow asks a planner's worker."""
    return PlanInput(
        run=run,
        agent="a",
        digest="d",
        step=1,
        rung=0,
        position=transcript.position,
        before=transcript.before,
        new=transcript.new(),
        after=transcript.after,
    )


def calling(*calls: str) -> Message:
    """A planner's answer that makes these calls."""
    blocks = [{"type": "tool_use", "id": f"t{call}", "name": "look", "input": {}} for call in calls]
    return Message(role="assistant", content=blocks)


def plan(transcript: Transcript, worker: Worker, answer: Message) -> list[Message]:
    """One step: the worker assembles and answers, and the answer is kept by both."""
    asked = asked_of(transcript)
    messages = worker.assemble(asked)
    worker.cache.append(RUN, asked.after, answer)
    transcript.append(answer)
    transcript.planned()
    return messages


def results(transcript: Transcript, texts: dict[str, str]) -> None:
    """The results of calls, as the workflow tells the planner of them."""
    blocks = [tool_result(f"t{call}", text) for call, text in texts.items()]
    transcript.append(Message(role="user", content=blocks), dict(enumerate(texts)))


def begun() -> Transcript:
    """A transcript that holds a task."""
    transcript = Transcript()
    transcript.append(user_text("Look around."))
    return transcript


LARGE, SMALL = "x" * REFERENCE_MIN_CHARS, "x" * (REFERENCE_MIN_CHARS - 1)


def test_a_worker_that_does_everything_never_asks() -> None:
    """One worker plans and carries out a hundred steps, with results of all sizes: no query."""
    transcript = begun()
    worker = Worker(transcript)
    for step in range(1, 101):
        calls = [f"{step}.1", f"{step}.2"]
        assert plan(transcript, worker, calling(*calls)) == transcript.messages[:-1]
        texts = {calls[0]: LARGE * (1 + step % 30), calls[1]: SMALL}
        for call, text in texts.items():
            worker.cache.remember_result(RUN, call, text)
        results(transcript, texts)
    assert worker.assemble(asked_of(transcript)) == transcript.messages
    assert worker.fetches == 0


def test_a_second_attempt_on_the_same_worker_does_not_ask() -> None:
    """A plan that failed is asked again with the same references: the worker has put them together already."""
    transcript = begun()
    worker = Worker(transcript)
    plan(transcript, worker, calling("1.1"))
    worker.cache.remember_result(RUN, "1.1", LARGE)
    results(transcript, {"1.1": LARGE})
    for _ in range(3):
        assert worker.assemble(asked_of(transcript)) == transcript.messages
        worker.cache.append(RUN, transcript.after, calling("stale"))  # an answer that never arrived
    assert worker.fetches == 0


def test_an_old_answer_does_not_get_in_the_way_of_the_right_one() -> None:
    """What a zombie answers to an older plan is not kept, so that the answer that counts is."""
    transcript = begun()
    worker = Worker(transcript)
    asked = asked_of(transcript)
    worker.assemble(asked)
    worker.cache.append(RUN, EMPTY_CHAIN, calling("0.1"))
    worker.cache.append(RUN, asked.after, calling("1.1"))
    transcript.append(calling("1.1"))
    transcript.planned()
    results(transcript, {"1.1": SMALL})
    assert worker.assemble(asked_of(transcript)) == transcript.messages
    assert worker.fetches == 0


def test_a_worker_that_missed_a_step_asks_for_what_it_missed() -> None:
    """It keeps what it knows: the pages begin where its own memory ends."""
    transcript = begun()
    first, second = Worker(transcript), Worker(transcript)
    plan(transcript, first, calling("1.1"))
    results(transcript, {"1.1": SMALL})
    plan(transcript, second, calling("2.1"))
    results(transcript, {"2.1": SMALL})
    starts: list[int] = []

    async def noted(asked: PageRequest) -> Page:
        starts.append(asked.start)
        return await first.fetch(asked)

    assert asyncio.run(first.cache.assemble(asked_of(transcript), noted)) == transcript.messages
    assert starts == [2]


def test_only_new_text_is_sent() -> None:
    """Neither the planner's own answers nor large results are in the next plan's input."""
    transcript = begun()
    worker = Worker(transcript)
    plan(transcript, worker, calling("1.1", "1.2"))
    results(transcript, {"1.1": LARGE, "1.2": SMALL})
    spelled = asked_of(transcript).model_dump_json()
    assert LARGE not in spelled
    assert SMALL in spelled
    assert "Look around." not in spelled


def test_a_message_too_large_to_send_is_asked_for() -> None:
    """A text beyond a quarter of a megabyte would not fit an activity's input, however it came about."""
    transcript = begun()
    worker = Worker(transcript)
    plan(transcript, worker, calling("1.1"))
    transcript.append(user_text("y" * LARGE_MESSAGE_BYTES))
    asked = asked_of(transcript)
    assert len(asked.model_dump_json()) < 1000
    assert worker.assemble(asked) == transcript.messages
    assert worker.fetches == 1


def test_a_zombies_result_is_not_believed() -> None:
    """The same call came back differently from an attempt that nobody waited for: the workflow is asked."""
    transcript = begun()
    worker = Worker(transcript)
    plan(transcript, worker, calling("1.1"))
    worker.cache.remember_result(RUN, "1.1", "stale " + LARGE)
    results(transcript, {"1.1": "fresh " + LARGE})
    assert worker.assemble(asked_of(transcript)) == transcript.messages
    assert worker.fetches == 1


def test_a_transcript_of_another_run_is_noticed() -> None:
    """Pages that do not have the digest of the plan are a bug, and no planner is asked with them."""
    transcript, other = begun(), Transcript()
    other.append(user_text("Something else."))
    transcript.append(user_text("y" * LARGE_MESSAGE_BYTES))
    with pytest.raises(TranscriptMismatch, match="has 1 messages with digest"):
        Worker(other).assemble(asked_of(transcript))


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=12), st.integers(1, 5000))
def test_pages_hold_as_many_messages_as_fit(sizes: list[int], max_bytes: int) -> None:
    """Page after page gives the whole transcript, each below its limit or of a single message."""
    transcript = Transcript()
    for size in sizes:
        transcript.append(user_text("y" * size))
    found: list[Message] = []
    while len(found) < len(sizes):
        page = transcript.page(PageRequest(start=len(found), stop=len(sizes), max_bytes=max_bytes))
        assert (page.position, page.total) == (len(found), len(sizes))
        assert len(page.messages) == 1 or len(page.model_dump_json()) < max_bytes + 200
        found += page.messages
    assert found == transcript.messages
    assert transcript.page(PageRequest(start=99, stop=100)).messages == []


@given(st.lists(json_values, max_size=4))
def test_both_sides_spell_a_message_alike(values: list[object]) -> None:
    """A message has the same digest before and after it went through Temporal, whatever numbers it holds."""
    message = Message(role="assistant", content=[{"type": "new", "values": values}])
    here, there = Transcript(), Transcript()
    here.append(message)
    there.append(sent(message))
    assert here.after == there.after


def test_a_cache_keeps_its_limit() -> None:
    """The transcripts that were least recently used are forgotten, and asked for again when needed."""
    workers: dict[str, Worker] = {}
    cache = TranscriptCache(max_bytes=10_000)
    for number in range(10):
        transcript = Transcript()
        transcript.append(user_text("y" * 3000))
        run = f"run {number}"
        workers[run] = Worker(transcript, cache)
        asked = asked_of(transcript, run)
        workers[run].assemble(asked)
        cache.append(run, asked.after, calling("1.1"))
        transcript.append(calling("1.1"))
        transcript.planned()
    assert cache._bytes <= 10_000 + 200
    assert cache._bytes == sum(entry.size for entry in cache._entries.values())
    for run, worker in workers.items():
        assert worker.assemble(asked_of(worker.transcript, run)) == worker.transcript.messages
    assert [worker.fetches for worker in workers.values()] == [1] * 10


def test_results_keep_their_limit() -> None:
    """Results that no plan ever refers to do not fill a worker: neither large ones nor a million small ones."""
    cache = TranscriptCache(max_bytes=40_000)
    for number in range(1000):
        cache.remember_result(RUN, f"1.{number}", "y" * 1000)
        cache.remember_result(RUN, f"2.{number}", "ok")
    assert cache._result_bytes <= 10_000
    assert len(cache._results) <= 10
    cache.remember_result(RUN, "3.1", "y" * 20_000)
    assert cache._result_bytes == sum(map(len, cache._results.values())) <= 10_000


async def test_two_attempts_at_once_count_their_transcript_once() -> None:
    """A zombie and its successor ask on the same worker at the same time: both are answered."""
    transcript = begun()
    transcript.append(user_text("y" * LARGE_MESSAGE_BYTES))
    worker, gate = Worker(transcript), asyncio.Event()

    async def slow(asked: PageRequest) -> Page:
        await gate.wait()
        return await worker.fetch(asked)

    asked = asked_of(transcript)
    first, second = (asyncio.ensure_future(worker.cache.assemble(asked, slow)) for _ in range(2))
    await asyncio.sleep(0)
    gate.set()
    assert await first == await second == transcript.messages
    assert worker.cache._bytes == sum(entry.size for entry in worker.cache._entries.values())


texts = st.one_of(
    st.sampled_from([SMALL, LARGE, "", "ü" * 600, "\u2028" * 600]),
    json_values.map(lambda v: render(cut(v, 900))),
)


class TwoWorkers(RuleBasedStateMachine):
    """One run that two workers plan and act for, in any order, while caches are lost and zombies speak."""

    answers = Bundle("answers")

    @initialize()
    def begin(self) -> None:
        """A task, and two workers that know nothing."""
        self.transcript = begun()
        self.workers = [Worker(self.transcript), Worker(self.transcript)]
        self.step = 0
        self.last: PlanInput | None = None

    @rule(target=answers, on=st.integers(0, 1), calls=st.integers(0, 3), retries=st.integers(0, 2))
    def plan_a_step(self, on: int, calls: int, retries: int) -> Message:
        """A worker plans, perhaps at the third attempt; its answer is kept."""
        self.step += 1
        asked = self.last = asked_of(self.transcript)
        worker = self.workers[on]
        for attempt in range(retries + 1):
            worker = self.workers[(on + attempt) % 2]
            assert worker.assemble(asked) == self.transcript.messages
        answer = calling(*(f"{self.step}.{number}" for number in range(1, calls + 1)))
        worker.cache.append(RUN, asked.after, answer)
        self.transcript.append(answer)
        self.transcript.planned()
        return answer

    @rule(
        on=st.lists(st.integers(0, 1), min_size=3, max_size=3), found=st.lists(texts, min_size=3, max_size=3)
    )
    def act(self, on: list[int], found: list[str]) -> None:
        """The calls of the last answer are carried out, each on some worker, and their results told."""
        last = self.transcript.messages[-1]
        if last.role != "assistant" or not last.content:
            return
        told = {}
        for number, block in enumerate(last.content):
            call = block["id"].removeprefix("t")
            told[call] = found[number] or "(empty result)"
            self.workers[on[number]].cache.remember_result(RUN, call, told[call])
        results(self.transcript, told)

    @rule(text=texts)
    def tell(self, text: str) -> None:
        """The engine tells the planner something beside results."""
        self.transcript.append(user_text(text or "Go on."))

    @rule(on=st.integers(0, 1))
    def lose_a_cache(self, on: int) -> None:
        """A worker dies, and another takes its place."""
        self.workers[on] = Worker(self.transcript)

    @rule(on=st.integers(0, 1), answer=answers)
    def a_zombie_answers(self, on: int, answer: Message) -> None:
        """An attempt that nobody waits for comes back with some answer to the last plan, or to this one."""
        for after in (self.last.after if self.last else "", self.transcript.after):
            self.workers[on].cache.append(RUN, after, answer)

    @rule(on=st.integers(0, 1), text=texts)
    def a_zombie_acts(self, on: int, text: str) -> None:
        """A call of the last step is carried out a second time, with another result."""
        self.workers[on].cache.remember_result(RUN, f"{self.step}.1", text)

    @rule(on=st.integers(0, 1))
    def a_zombie_plans(self, on: int) -> None:
        """An old plan is asked of a worker: what it is given is what the transcript was then."""
        if self.last is not None:
            until = self.last.position + len(self.last.new)
            assert self.workers[on].assemble(self.last) == self.transcript.messages[:until]

    @invariant()
    def caches_count_what_they_hold(self) -> None:
        """The bytes that a cache believes to hold are the bytes that it holds."""
        for worker in getattr(self, "workers", ()):
            cache = worker.cache
            assert cache._bytes == sum(entry.size for entry in cache._entries.values())
            assert cache._result_bytes == sum(map(len, cache._results.values()))


TestTwoWorkers = TwoWorkers.TestCase
TestTwoWorkers.__doc__ = (
    "Whoever plans and whatever is lost: a planner is always asked with the workflow's own messages."
)
TestTwoWorkers.settings = settings(max_examples=40, stateful_step_count=30)
