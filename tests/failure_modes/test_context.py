"""Context overflow and memory: too much to say, and what must not be forgotten."""

from __future__ import annotations

from holdfast import Agent, Model, tool
from holdfast.testing import answer, call, fault, say
from tests.failure_modes.seen import no_task_failed, notices, settled
from tests.stage import CLAUDE, QUICKLY, SetStage


@tool(effect="read")
async def query(rows: int) -> str:
    """A database that answers with as many rows as one asks for."""
    return "\n".join(f"row {n}" for n in range(rows))


AGENT = Agent(name="reader", instructions="Go.", tools=[query], ladder=[CLAUDE])
TWO = AGENT.but(ladder=[CLAUDE, Model("claude-haiku-4-5", retry=QUICKLY)])


async def test_a_prompt_that_is_too_long_for_every_rung_parks_the_run(stage: SetStage) -> None:
    """It is shortened once; what is too long still parks the run, which keeps everything and goes on when told to."""
    refused = fault(400, "prompt is too long: 250000 tokens > 200000 maximum")
    script = [call("query", rows=1), refused, say("One row was seen."), refused, say("Now it fits.")]
    async with stage(AGENT, script) as on:
        run = await on.start()
        view = await settled(on, run)
        assert view.status == "parked"
        assert "prompt is too long" in view.requests[0].why
        assert view.steps[0].calls[0].status == "done"
        await run.answer(view.requests[0], "redrive", by="dana")
        assert await run.result() == "Now it fits."
        assert "One row was seen." in str(on.model.requests[-1].messages)


async def test_a_tool_that_answers_too_much_does_not_fill_the_window(stage: SetStage) -> None:
    """Of ten thousand rows the model gets head and tail, within the tool's limit."""
    async with stage(AGENT, [call("query", rows=10_000), say("Many rows.")]) as on:
        assert await on.result() == "Many rows."
        told = on.told()[0]
    assert told.startswith("row 0\n")
    assert "row 9999" in told
    assert len(told) < 20_000


async def test_no_room_for_an_answer_falls_to_the_next_rung(stage: SetStage) -> None:
    """A model that stops because its window is full has not answered: nothing of it is carried out."""
    block = {"type": "tool_use", "id": "toolu_f", "name": "query", "input": {"rows": 1}}
    full = answer([block], stop_reason="model_context_window_exceeded")
    async with stage(TWO, [full, say("A smaller answer.")]) as on:
        run = await on.start()
        assert await run.result() == "A smaller answer."
        assert "model_context_window_exceeded" in await notices(run)
        assert sum(len(step.calls) for step in (await run.inspect()).steps) == 0


async def test_after_a_wait_on_another_worker_the_agent_knows_everything(stage: SetStage) -> None:
    """A worker that has never seen the run plans on with the whole conversation."""
    script = [call("query", rows=2), call("ask_human", question="Which?")]
    async with stage(AGENT, script, replay=False) as on:
        run = await on.start("remember the blue one")
        request = await run.next_request()
        queue = on.client.task_queue
    async with stage(AGENT, [say("Both.")], task_queue=queue) as on:
        await run.answer(request, "both", by="dana")
        assert await run.result() == "Both."
        texts = str(on.model.requests[-1].messages)
    assert "remember the blue one" in texts
    assert "row 1" in texts
    assert "dana answers: both" in texts


async def test_a_document_of_megabytes_costs_neither_history_nor_window(stage: SetStage) -> None:
    """Eight megabytes come as a head, a tail and a word about the rest; the history stays small."""
    async with stage(AGENT, [call("query", rows=700_000), say("A long document.")]) as on:
        run = await on.start()
        assert await run.result() == "A long document."
        assert len(on.told()[0]) < 20_000
        description = await on.client.temporal.get_workflow_handle(run.id).describe()
        size = description.raw_description.workflow_execution_info.history_size_bytes
        await no_task_failed(on, run)
    assert size < 200_000
