"""Going back: a run as of a step, forks that leave their source alone, and rewinding in place."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from holdfast import Agent, Model, PastCall, Run, Tool, ToolContext, UsageError, tool
from holdfast.artifacts import VARIABLE
from holdfast.contracts.requests import DecisionInput
from holdfast.testing import ModelRequest, Step, call, finish, say
from tests.stage import CLAUDE, QUICKLY, SetStage, Stage

WORLD: list[str] = []


@pytest.fixture(autouse=True)
def a_fresh_world() -> None:
    WORLD.clear()


async def unwrite(ctx: ToolContext, past: PastCall) -> None:
    """Undo of `write`."""
    WORLD.remove(past.arguments["line"])


@tool(effect="reversible", undo=unwrite)
async def write(line: str) -> dict[str, str]:
    """Write a line."""
    WORLD.append(line)
    return {"wrote": line, "padding": "x" * 600}


@tool(effect="irreversible")
async def publish(text: str) -> str:
    """Publish something."""
    WORLD.append(f"published {text}")
    return "published"


@tool(effect="read")
async def look(where: str) -> str:
    """Look somewhere."""
    return f"{where} is empty"


def agent_with(*tools: Tool[..., Any], **changes: Any) -> Agent[str]:
    """An agent that may write what can be undone."""
    return Agent(
        name="writer", instructions="Write.", tools=tools, ladder=[CLAUDE], autonomy="reversible"
    ).but(**changes)


WRITER = agent_with(write, publish, look)


async def history_of(on: Stage, run: Run[Any]) -> list[bytes]:
    """The run's history, byte for byte."""
    history = await on.client.temporal.get_workflow_handle(run.id).fetch_history()
    return [event.SerializeToString(deterministic=True) for event in history.events]


async def forked(on: Stage, run: Run[Any], **options: Any) -> Run[Any]:
    """A fork that the stage knows, so that its history is replayed too."""
    fork = await run.fork(**options)
    on.runs.append(fork)
    return fork


@pytest.mark.slow
async def test_a_fork_at_any_step_pays_for_and_repeats_nothing(stage: SetStage) -> None:
    """Ten forks of forty steps that wrote: source untouched, no write again, one model call each, another end."""

    def plan(request: ModelRequest) -> Step:
        if "End." in str(request.body["system"]):
            return say("ended otherwise")
        step = sum(1 for message in request.messages if message["role"] == "assistant") + 1
        return say("done") if step == 40 else call("write", line=f"line {step}")

    agent = agent_with(write).but(limits=WRITER.limits.model_copy(update={"steps": 50}))
    async with stage(agent, plan, seconds=100) as on:
        run = await on.start()
        assert await run.result() == "done"
        before, written, paid = await history_of(on, run), list(WORLD), len(on.model.requests)
        assert (len(written), paid) == (39, 40)
        for number, at in enumerate(random.Random(7).sample(range(40), 10), start=1):
            fork = await forked(on, run, at=at, instructions="End.", by="dana")
            assert await fork.result() == "ended otherwise"
            assert len(on.model.requests) == paid + number
            told = on.model.requests[-1].messages
            assert sum(1 for message in told if message["role"] == "assistant") == at
            view = await fork.inspect()
            assert view.fork is not None
            assert (view.fork.run, view.fork.at, view.fork.changed) == (run.id, at, ["instructions"])
            assert (len(view.steps), view.usage.model_calls, view.effects) == (at + 1, 1, [])
        assert written == WORLD
        assert await history_of(on, run) == before


async def test_what_a_fork_writes_is_simulated_asked_about_or_done(stage: SetStage) -> None:
    """Simulated unless the fork says otherwise; what the source did later is asked about before it is done again."""
    script = [call("look", where="here"), call("write", line="a"), say("ok")]
    again = [call("write", line="a"), call("write", line="b"), say("ok")]
    async with stage(WRITER, [*script, *again, *again, *again], seconds=90) as on:
        run = await on.start()
        await run.result()
        simulated = await forked(on, run, at=1)
        await simulated.result()
        assert [one.outcome for one in (await simulated.inspect()).effects] == ["simulated", "simulated"]
        assert WORLD == ["a"]

        running = await forked(on, run, at=1, writes="run")
        request = await running.next_request()
        assert f"run {run.id} has done this already, as call 2.1" in request.why
        await running.reject(request, by="dana", reason="It is there.")
        await running.result()
        assert WORLD == ["a", "b"]

        asking = await forked(on, run, at=1, writes="ask")
        await asking.approve(await asking.next_request(), by="dana")
        async for event in asking.events(after=0):
            if event.kind == "request" and event.data["call"] == "3.1":
                break
        [second] = await asking.requests()
        assert second.why == "every write of this fork is asked about"
        await asking.approve(second, by="dana")
        await asking.result()
        assert WORLD == ["a", "b", "a", "b"]
        assert (await running.undo(by="dana")).calls[0].call == "3.1"


async def test_a_fork_may_change_a_result_a_message_or_the_model(stage: SetStage) -> None:
    """The next plan is made on what the fork says; the steps before it are as they were."""
    async with stage(
        WRITER, [call("look", where="here"), say("empty"), say("full"), say("more")], seconds=90
    ) as on:
        run = await on.start()
        await run.result()
        other = await forked(
            on, run, at=1, answers={"1.1": "it is full"}, message="Mind the dog.", model="claude-haiku-4-5"
        )
        assert await other.result() == "full"
        assert on.told() == ["it is full"]
        assert on.said() == "Mind the dog."
        assert on.model.requests[-1].model == "claude-haiku-4-5"
        assert (await other.inspect(at=1)).steps[0].calls[0].preview == "it is full"
        assert (await run.inspect(at=1)).steps[0].calls[0].preview == "here is empty"
        on_and_on = await forked(on, run, message="And now?")
        assert await on_and_on.result() == "more"


async def test_a_fork_may_decide_otherwise(stage: SetStage) -> None:
    """A rejected call is made (simulated here) where the fork approves it, and an approved one is not."""
    async with stage(
        WRITER, [call("publish", {"text": "a"}), say("no"), say("yes"), say("no again")], seconds=90
    ) as on:
        run = await on.start()
        request = await run.next_request()
        await run.reject(request, by="dana", reason="Not yet.")
        await run.result()
        approved = await forked(
            on, run, at=1, decisions={request.id: DecisionInput(by="eve", choice="approve")}
        )
        assert await approved.result() == "yes"
        assert '"would_call":"publish"' in on.told()[0]
        assert [one.outcome for one in (await approved.inspect()).effects] == ["simulated"]
        rejected = await forked(
            on, approved, at=1, decisions={request.id: DecisionInput(by="fay", choice="reject", reason="No.")}
        )
        assert await rejected.result() == "no again"
        assert on.told() == ["Not done: fay rejected this. Reason: No."]
    assert WORLD == []


async def test_what_cannot_be_forked_is_refused(stage: SetStage) -> None:
    """An unknown step, call or request, a step that ended the run: each error says what there is."""
    async with stage(WRITER, [call("look", where="here"), finish(result="ok")], seconds=90) as on:
        run = await on.start()
        await run.result()
        with pytest.raises(UsageError, match="no checkpoint of step 9 is at hand; those of steps 0 to 2 are"):
            await run.fork(at=9)
        with pytest.raises(UsageError, match=r"step 1 has no call 2\.1; it has 1\.1"):
            await run.fork(at=1, answers={"2.1": "x"})
        with pytest.raises(UsageError, match=r"had no request 1\.1-approval-x; it had none"):
            await run.fork(at=1, decisions={"1.1-approval-x": DecisionInput(by="a", choice="reject")})
        with pytest.raises(UsageError, match=r"step 2 ended it\. Give a message to go on with"):
            await run.fork()
        with pytest.raises(UsageError, match="exists already"):
            await run.fork(at=1, id=run.id)


async def test_a_run_can_be_looked_at_as_of_any_step(stage: SetStage) -> None:
    """Steps, effects, transcript and cost of then; a line for each step; also while it waits, and when closed."""
    script = [call("write", line="a"), call("publish", {"text": "b"}), call("write", line="c"), say("ok")]
    async with stage(WRITER, script, seconds=90) as on:
        run = await on.start()
        request = await run.next_request()
        early = await run.inspect(at=1)
        await run.approve(request, by="dana")
        await run.result()
        late = await run.inspect(at=1)
        assert late.model_dump() == early.model_dump()
        assert [one.number for one in late.steps] == [1]
        assert [(one.call, one.outcome) for one in late.effects] == [("1.1", "done")]
        assert late.transcript is not None
        assert [message.role for message in late.transcript] == ["user", "assistant", "user"]
        assert (late.decisions, late.outcome, late.usage.model_calls) == ([], None, 1)
        assert len((await run.inspect(at=2)).decisions) == 1
        assert (await run.inspect(at=4)).outcome == (await run.inspect()).outcome
        lines = await run.checkpoints()
        assert [(one.step, one.calls, one.effects) for one in lines] == [
            (1, ("write: done",), 1),
            (2, ("publish: done",), 2),
            (3, ("write: done",), 3),
            (4, (), 3),
        ]


async def test_a_rewound_run_plans_anew_and_asks_before_it_repeats(stage: SetStage) -> None:
    """What it had done since still stands and is told; the same again is asked about; it stays one run in the list."""
    first = [call("write", line="a"), call("write", line="b"), say("first")]
    second = [call("write", line="b"), call("write", line="c"), say("second")]
    async with stage(WRITER, [*first, *second], seconds=90) as on:
        run = await on.start()
        assert await run.result() == "first"
        made = await run.rewind(to=1, by="dana", reason="b was wrong")
        assert [one.call for one in made] == ["2.1"]
        request = await run.next_request()
        assert "this run has done this already before it was rewound, as call 2.1" in request.why
        await run.reject(request, by="dana", reason="It stands.")
        assert await run.result() == "second"
        view = await run.inspect()
        assert [one.call for one in view.effects] == ["1.1", "3.1"]
        keys = [one.idempotency_key for one in view.effects]
        assert keys[0] == f"{run.id}/1.1"
        assert keys[1].startswith(f"{run.id}~")
        assert view.rewind is not None
        assert (view.rewind.to, view.rewind.by, view.rewind.reason) == (1, "dana", "b was wrong")
        ended = f"WorkflowId = '{run.id}' AND ExecutionStatus = 'Completed'"
        while (await on.client.temporal.count_workflows(ended)).count < 2:  # noqa: ASYNC110  # the index lags
            await asyncio.sleep(0.05)
        listed = [one.steps for one in await on.client.runs() if one.run == run.id]
        assert listed == [4], "a rewound run is one run, and stands in the list as it is now"
    assert WORLD == ["a", "b", "c"]


async def test_an_open_run_is_rewound_where_it_waits(stage: SetStage) -> None:
    """Its requests are gone with the plans that made them; a step with nothing after it cannot be gone back to."""
    script = [call("write", line="a"), call("publish", {"text": "b"}), say("without")]
    async with stage(WRITER, script, seconds=90) as on:
        run = await on.start()
        await run.next_request()
        with pytest.raises(UsageError, match="no checkpoint of step 2"):
            await run.rewind(to=2, by="dana")
        assert await run.rewind(to=1, by="dana") == []
        assert await run.result() == "without"
        assert (await run.inspect()).requests == []


async def test_a_large_run_is_handed_over_by_the_artifact_store(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A checkpoint beyond what an input holds: its older messages are laid aside, and the agent is told them all."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))

    @tool(effect="read", max_result_chars=300_000)
    async def dig(deep: int) -> str:
        """Dig something up that nobody can compress."""
        return random.Random(deep).randbytes(140_000).hex()

    roomy = Model("claude-sonnet-5", retry=QUICKLY, context_window=10_000_000)
    agent = agent_with(dig, ladder=[roomy])
    script = [*(call("dig", deep=n) for n in range(8)), say("ok"), say("forked")]
    async with stage(agent, script, seconds=90) as on:
        run = await on.start()
        await run.result()
        fork = await forked(on, run, at=8, message="Once more.")
        assert await fork.result() == "forked"
        told = [b for m in on.model.requests[-1].messages for b in m["content"] if b["type"] == "tool_result"]
        assert [len(one["content"]) for one in told] == [280_000] * 8
        again = await fork.inspect(at=9)
        assert again.transcript is not None
        assert [step.number for step in again.steps] == list(range(1, 10))
        assert len(again.transcript) == 18


async def test_what_was_undone_may_be_done_again_after_a_rewind(stage: SetStage) -> None:
    """It is not asked about, and a later undo takes the second one back too, though its call has the same id."""
    script = [call("look", where="here"), call("write", line="a"), say("first")]
    async with stage(WRITER, [*script, call("write", line="a"), say("second")], seconds=90) as on:
        run = await on.start()
        await run.result()
        await run.undo(by="dana", to_step=1)
        assert WORLD == []
        assert await run.rewind(to=1, by="dana") == []
        assert await run.result() == "second"
        assert WORLD == ["a"]
        again = await run.undo(by="dana", to_step=1)
        assert [(one.call, one.outcome) for one in again.calls] == [("2.1", "undone")]
        assert WORLD == []
        assert await run.undo(by="dana", to_step=1) == again
