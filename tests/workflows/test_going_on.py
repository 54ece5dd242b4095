"""A run goes on in a new execution before its history becomes too long, and nobody notices."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowHistory

from holdfast import Agent, Compaction, Limits, Model, PastCall, ToolContext, UsageError, tool
from holdfast.artifacts import VARIABLE
from holdfast.contracts.messages import Page, PageRequest
from holdfast.contracts.run import EventsRequest, RunEvent
from holdfast.contracts.state import RunCheckpoint
from holdfast.testing import ModelRequest, Step, call, dev_server, finish, say
from tests.stage import CLAUDE, SetStage, setting
from workers.replay import replay, state_at
from workflows.checkpointing import dump

SUGGESTED_AT = 120
"""Events at which the server suggests to go on in a new execution: about ten steps."""

STEPS = 24

GIVEN_BACK: list[int] = []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def impatient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalClient]:
    """A server that suggests it early."""
    tuned = {"limit.historyCount.suggestContinueAsNew": SUGGESTED_AT}
    async with dev_server(tmp_path_factory.mktemp("impatient"), dynamic_config=tuned) as server:
        yield await server.connect()


@pytest.fixture
def here(impatient: TemporalClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SetStage:
    """A stage on it, with an artifact store of its own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    GIVEN_BACK.clear()
    return setting(impatient, monkeypatch)


async def give_back(ctx: ToolContext, call: PastCall) -> None:
    """Undo of `take`."""
    GIVEN_BACK.append(call.arguments["number"])


@tool(effect="reversible", undo=give_back, idempotent=True, key="take/{number}")
async def take(number: int) -> str:
    """Take one."""
    return f"took {number} {'.' * 600}"


taker = Agent(
    name="taker",
    instructions="Take.",
    tools=[take],
    ladder=[CLAUDE],
    autonomy="reversible",
    limits=Limits(steps=100, calls=100),
)


def takes(request: ModelRequest) -> Step:
    """One after the other; then the first once more; then what was told of each."""
    if request.turn < STEPS:
        return call("take", number=request.turn + 1)
    if request.turn == STEPS:
        return call("take", number=1)
    results = [b for m in request.messages for b in m["content"] if b["type"] == "tool_result"]
    return finish(result=f"{len(results)}: {results[0]['content'][:6]} … {results[-1]['content'][:60]}")


async def executions(client: TemporalClient, run: str) -> list[WorkflowHistory]:
    """The histories of all executions of a run, in order."""
    described = await client.get_workflow_handle(run).describe()
    at = described.raw_description.workflow_execution_info.first_run_id
    found = []
    while at:
        found.append(await client.get_workflow_handle(run, run_id=at).fetch_history())
        last = found[-1].events[-1]
        at = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


async def test_it_is_one_run(here: SetStage, impatient: TemporalClient) -> None:
    """Transcript, keys, steps, limits, events and result are those of one run, in however many executions."""
    few_steps = taker.but(limits=Limits(steps=STEPS // 2))
    async with here(few_steps, takes, exhausted=False) as on:
        run = await on.start()
        await run.raise_limits(by="dana", steps=100, calls="+50")
        seen = [event.number async for event in run.events()]
        outcome, view = await run.outcome(), await run.inspect()
        again = [event.number async for event in run.events(after=5)]
        few = EventsRequest(after=0, limit=1)
        told = await on.client.temporal.get_workflow_handle(run.id).query(
            "events", few, result_type=list[RunEvent]
        )
        listed = [one for one in await on.client.runs(agent="taker") if one.run == run.id]
    chain = await executions(impatient, run.id)

    assert outcome.status == "completed"
    assert outcome.output.startswith(f"{STEPS + 1}: took 1 … This was already done by call 1.1")
    assert (outcome.steps, outcome.calls, outcome.total_effects) == (STEPS + 2, STEPS + 1, STEPS)
    assert seen == list(range(len(seen)))
    assert again == seen[5:]
    assert told[0].number > 1, "what is archived is passed over, however little was asked for"
    assert [step.number for step in view.steps] == list(range(1, STEPS + 3))
    assert len(chain) >= 3
    assert all(len(history.events) < 1.5 * SUGGESTED_AT for history in chain)
    assert [raised.after for raised in view.raises] == [{"steps": 100, "calls": 100}]
    assert len(listed) == 1
    began = chain[0].events[0].event_time.ToDatetime(listed[0].started_at.tzinfo)
    assert abs(listed[0].started_at - began) < timedelta(seconds=1)
    for history in chain:
        assert (await replay(history)).ok


async def test_undoing_it_reaches_back_to_the_first_execution(here: SetStage) -> None:
    """What any execution did can be undone, last call first."""
    async with here(taker, takes, exhausted=False) as on:
        run = await on.start()
        await run.outcome()
        undone = await run.undo(by="dana")

    assert [one.outcome for one in undone.calls] == ["undone"] * STEPS
    assert list(range(STEPS, 0, -1)) == GIVEN_BACK


def takes_until_told(request: ModelRequest) -> Step:
    """As `takes`; whoever is told to end does."""
    return finish(result="ended") if "End." in request.body["system"][0]["text"] else takes(request)


async def test_it_goes_back_over_its_executions(here: SetStage, impatient: TemporalClient) -> None:
    """Any step of any execution can be looked at, forked and gone back to, also when all are closed."""
    async with here(taker, takes_until_told, exhausted=False, seconds=120) as on:
        run = await on.start()
        await run.outcome()
        whole = await run.inspect()
        lines = await run.checkpoints()
        assert [one.step for one in lines] == [step.number for step in whole.steps]
        assert (lines[4].effects, lines[-1].effects) == (5, STEPS)
        first = (await executions(impatient, run.id))[0]
        boundary = int(re.findall(r"archive up to step (\d+)", str(first.events))[0])
        for at in (0, 3, boundary, boundary + 1, STEPS + 2):
            past = await run.inspect(at=at)
            assert past.steps == whole.steps[:at]
            assert past.transcript is not None
            assert len(past.transcript) == 1 + 2 * at - (at == STEPS + 2)
            assert len(past.effects) == min(at, STEPS)
        with pytest.raises(UsageError, match="no checkpoint of step 99"):
            await run.inspect(at=99)

        paid = len(on.model.requests)
        for at in (3, boundary):
            fork = await run.fork(at=at, instructions="End.", by="dana")
            on.runs.append(fork)
            assert await fork.result() == "ended"
            assert len((await fork.inspect()).steps) == at + 1
            told = [
                b for m in on.model.requests[-1].messages for b in m["content"] if b["type"] == "tool_result"
            ]
            assert [one["content"][:7].strip(" .") for one in told] == [f"took {n + 1}" for n in range(at)]
            with pytest.raises(
                UsageError, match=f"is a fork of {run.id} at step {at}: look for step 1 there"
            ):
                await fork.inspect(at=1)
        assert len(on.model.requests) == paid + 2

        other = await run.fork(
            at=3,
            answers={"3.1": "it was gone"},
            message="Take no more.",
            agent=taker.but(instructions="End."),
        )
        on.runs.append(other)
        await other.result()
        assert on.told() == ["it was gone"]

        made = await run.made_since(3)
        assert [one.call for one in made] == [f"{n}.1" for n in range(4, STEPS + 1)]
        assert await run.rewind(to=3, by="dana") == made
        request = await run.next_request()
        assert "this run has done this already before it was rewound, as call 4.1" in request.why
        await run.cancel()
        assert [one.call for one in (await run.outcome()).effects] == ["1.1", "2.1", "3.1"]
        assert [one.call for one in (await run.undo(by="dana")).calls] == [
            f"{n}.1" for n in range(STEPS, 0, -1)
        ]


async def test_a_worker_that_has_forgotten_reads_what_was_laid_aside(here: SetStage) -> None:
    """With no room for two transcripts, each plan of two runs puts its own together from the archive and the run."""
    async with here(taker, takes, exhausted=False, transcript_cache_bytes=1, seconds=60) as on:
        runs = [await on.start(task) for task in ("Take one.", "Take another.")]
        outcomes = [await run.outcome() for run in runs]

    assert [one.output[:10] for one in outcomes] == [f"{STEPS + 1}: took 1"] * 2


async def test_what_was_compacted_stays_so(here: SetStage, impatient: TemporalClient) -> None:
    """Planners see the same summary and messages after the run went on, also those of workers that know nothing.

    The task, the last messages and the calls made stay; whoever reads the transcript finds it whole.
    """
    small = Model(CLAUDE.name, retry=CLAUDE.retry, context_window=3_000)
    agent = taker.but(name="small-taker", ladder=[small], compaction=Compaction(keep=4))

    def script(request: ModelRequest) -> Step:
        if "tools" not in request.body:
            return say("All went well.")
        taken = re.findall(r"took (\d+) ", str(request.messages))
        if request.messages[-1]["role"] != "user" or (taken and int(taken[-1]) >= STEPS):
            return finish(result=str(request.messages[0]["content"][0]["text"]))
        return call("take", number=int(taken[-1]) + 1 if taken else 1)

    async with here(agent, script, exhausted=False, transcript_cache_bytes=1, seconds=60) as on:
        runs = [await on.start(task) for task in ("Take one.", "Take another.")]
        outcomes = [await run.outcome() for run in runs]
        view = await runs[0].inspect()
        handle = impatient.get_workflow_handle(runs[0].id)
        page = await handle.query("transcript", PageRequest(start=0, stop=1), result_type=Page)
    chain = await executions(impatient, runs[0].id)

    assert [one.output for one in outcomes] == ["Take one.", "Take another."]
    assert len(chain) >= 3
    assert len(view.compactions) >= 2
    shortened = [one.messages for one in on.model.requests if len(one.messages[0]["content"]) > 1]
    assert all("done: take 1 (call 1.1)" in one[0]["content"][1]["text"] for one in shortened)
    assert min(len(one) for one in shortened) >= 3, "the last turns stay"
    assert max(len(str(one)) for one in shortened) < 3_000 * 4
    assert page.total == 2 * STEPS + 2
    for history in chain:
        assert (await replay(history)).ok


async def test_without_a_store_it_stays_where_it_is(
    here: SetStage, impatient: TemporalClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run that cannot lay its past aside goes on in the same execution, and says why."""
    occupied = tmp_path / "no folder"
    occupied.write_text("in the way")
    monkeypatch.setenv(VARIABLE, str(occupied))
    async with here(taker, takes, exhausted=False) as on:
        run = await on.start()
        outcome = await run.outcome()
        notices = [event.text async for event in run.events() if event.kind == "notice"]

    assert outcome.status == "completed"
    assert len(await executions(impatient, run.id)) == 1
    assert any(text.startswith("stays in execution 1 for now") for text in notices)


async def test_everything_is_carried(stage: SetStage) -> None:
    """Each field of a run's state has its place in the checkpoint, or derives from others."""
    # The ledger: its calls and those of the steps. Marks: each execution tells its own steps. Details: what is shown.
    derived = {"run", "given", "digest", "shown", "details", "ledger", "marks"}
    async with stage(taker, [call("take", number=1), finish(result="done")]) as on:
        run = await on.start()
        await run.outcome()
        history = await on.client.temporal.get_workflow_handle(run.id).fetch_history()
    state = await state_at(history, history.events[-1].event_id)

    assert set(vars(state)) - derived - set(RunCheckpoint.model_fields) == set()
    assert RunCheckpoint.model_validate_json(dump(state).model_dump_json()) == dump(state)
