"""Tools that another process serves: a plain Temporal worker, in any language, that knows nothing of Holdfast."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from holdfast import Agent, Tool, remote_tool
from holdfast.testing import DevServer, call, calls, say
from tests.failure_modes.seen import no_task_failed
from tests.stage import CLAUDE, QUICKLY, SetStage, unique

PROGRAM = Path(__file__).with_name("remote_worker.py")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def queue(temporal_server: DevServer) -> AsyncIterator[str]:
    """The task queue of a worker process that does not import Holdfast."""
    name = unique("geo")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), temporal_server.address, name), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ready\n"
        yield name
    finally:
        process.kill()
        await process.wait()


def agent_with(*tools: Tool[..., Any]) -> Agent[str]:
    """An agent that may do everything with these tools."""
    return Agent(name="traveller", instructions="Travel.", tools=tools, ladder=[CLAUDE], autonomy="full")


def strange(queue: str, **options: Any) -> Tool[..., Any]:
    """The tool that answers strangely."""
    return remote_tool(
        "geo.strange",
        **{
            "task_queue": queue,
            "description": "Answer strangely.",
            "input_schema": {
                "type": "object",
                "properties": {"kind": {"type": "string"}},
                "required": ["kind"],
            },
            "effect": "read",
            "retry": QUICKLY,
            **options,
        },
    )


async def test_a_tool_of_another_process_is_called_by_its_name(stage: SetStage, queue: str) -> None:
    """The process gets one JSON object with arguments, key and user; its answer goes to the model."""
    locate = remote_tool(
        "geo.locate",
        task_queue=queue,
        description="Locate a city.",
        input_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        output_schema={"type": "object", "required": ["place"]},
        effect="read",
    )
    plan = calls(("geo_locate", {"city": "rome"}), ("geo_locate", {"city": 5}))
    async with stage(agent_with(locate), [plan, say("ok")]) as on:
        run = await on.start(user="ana")
        await run.result()
        good, bad = on.told()
    assert json.loads(good) == {"place": "ROME", "key": f"{run.id}/1.1", "user": "ana", "attempt": 1}
    assert '5 is not of type "string"' in bad


async def test_whatever_another_process_answers_the_run_goes_on(stage: SetStage, queue: str) -> None:
    """Bytes, nothing, far too much, errors of another world: the model is told, and the run completes."""
    kinds = ["bytes", "nothing", "large", "busy once", "never"]
    plan = calls(*(("geo_strange", {"kind": kind}) for kind in kinds))
    async with stage(agent_with(strange(queue)), [plan, say("ok")]) as on:
        assert await on.result() == "ok"
        as_bytes, nothing, large, busy, never = on.told()
    assert as_bytes
    assert nothing == "null"
    assert large.startswith("HEAD")
    assert large.endswith("TAIL")
    assert len(large) <= 16_000
    assert busy == "free"
    assert "NoSuchPlanet" in never
    assert "no such planet" in never


async def test_no_error_of_another_process_is_too_large(stage: SetStage, queue: str) -> None:
    """Megabytes in a failure or a result: each comes to the model in a few words, and the workflow itself never fails."""
    kinds = ["a long error", "a long detail", "beyond what can be stored"]
    plan = calls(*(("geo_strange", {"kind": kind}) for kind in kinds))
    async with stage(agent_with(strange(queue)), [plan, say("ok")], replay=False) as on:
        run = await on.start()
        assert await run.result() == "ok"
        assert all(len(told) < 3_000 for told in on.told())
        failures = [one.failure for one in (await run.inspect()).steps[0].calls]
        assert all(one is not None and len(one.message) <= 4_000 for one in failures)
        await no_task_failed(on, run)


async def test_an_answer_that_breaks_its_schema_is_told_and_noticed(stage: SetStage, queue: str) -> None:
    """A remote tool is held to its output schema, as one of our own is."""
    typed = strange(queue, output_schema={"type": "object", "required": ["place"]})
    async with stage(agent_with(typed), [call("geo_strange", kind="other"), say("ok")]) as on:
        run = await on.start()
        await run.result()
        assert "does not have the promised form" in on.told()[0]
        notices = [event.text async for event in run.events() if event.kind == "notice"]
    assert any('"place" is a required property' in text for text in notices)


async def test_a_queue_that_nobody_serves_is_told_in_bounded_time(stage: SetStage) -> None:
    """A call waits for a worker as long as its tool says; then the model hears that there is none."""
    lonely = strange(unique("nobody"), queue_timeout=timedelta(milliseconds=300))
    async with stage(agent_with(lonely), [call("geo_strange", kind="x"), say("ok")], seconds=15) as on:
        assert await on.result() == "ok"
        assert "no worker took the call in time" in on.told()[0]


async def test_a_write_that_nobody_took_did_not_happen(stage: SetStage) -> None:
    """A call that no worker took has had no effect: nobody is asked, and none is on record."""
    lonely = strange(
        unique("nobody"),
        queue_timeout=timedelta(milliseconds=300),
        effect="irreversible",
        retry=None,
        waiver="nobody is there",
    )
    async with stage(agent_with(lonely), [call("geo_strange", kind="x"), say("ok")], seconds=15) as on:
        outcome = await on.outcome()
        assert "no worker took the call in time" in on.told()[0]
    assert (outcome.status, outcome.effects) == ("completed", [])


async def test_a_remote_write_is_simulated_here(stage: SetStage) -> None:
    """In a dry run a remote write does not leave the house, unless its tool says that it understands."""
    silent = strange(unique("nobody"), effect="irreversible", retry=None, waiver="nobody is there")
    async with stage(agent_with(silent), [call("geo_strange", kind="x"), say("ok")], seconds=15) as on:
        run = await on.start(dry_run=True)
        await run.result()
        assert '"would_call":"geo.strange"' in on.told()[0]
