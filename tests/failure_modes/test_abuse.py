"""Whatever a model answers, a tool returns or a signal holds: the run ends, or is in a human's hands, and never stuck."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast import Agent, tool
from holdfast.testing import Answer, ModelRequest, answer, call, finish
from tests.failure_modes.seen import SETTLED, settled
from tests.stage import CLAUDE, SetStage
from tests.strategies import json_objects, json_values, texts

CASES = 12
RETURNED: list[Any] = []

blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.builds(
        lambda name, given: {"type": "tool_use", "name": name, "input": given},
        st.sampled_from(["look", "finish", "ask_human", "", "no_such_tool", "look/../x", "ü" * 200]),
        st.one_of(
            json_objects,
            st.fixed_dictionaries({"where": json_values}),
            st.fixed_dictionaries({"status": json_values, "result": json_values}),
            st.just({"where": "here"}),
        ),
    ),
    st.builds(
        lambda fields: {"type": "from_the_future", **fields}, st.dictionaries(texts, texts, max_size=2)
    ),
)
answers = st.tuples(
    st.lists(blocks, max_size=4),
    st.sampled_from(
        ["end_turn", "tool_use", "max_tokens", "pause_turn", "refusal", "stop_sequence", "made_up", None]
    ),
)
deep: Any = "end"
for _ in range(300):
    deep = [deep]
ODD: list[Any] = [
    deep, 10**400, float("nan"), float("inf"), b"\xff\x00", "\x00", "\ud800", {1: {2: object()}}, {"a": {"b"}}, (), "", None,
    lambda: None, "x" * 3_000_000, {"x" * 10: "😀" * 100_000}, NotImplemented, range(3),
]  # fmt: skip


def some(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    """So many examples, the same in every run of the tests."""
    found: list[Any] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found


@tool(effect="read")
async def look(where: str) -> str:
    """Look."""
    return where


@tool(effect="read")
async def odd(n: int) -> Any:
    """Return something odd."""
    return RETURNED[n]


AGENT = Agent(name="abused", instructions="Go.", tools=[look, odd], ladder=[CLAUDE])


async def test_whatever_a_model_answers(stage: SetStage) -> None:
    """Random blocks, names, inputs and stop reasons, two answers for each run, then the end."""
    cases = some(st.tuples(answers, answers), CASES)

    def script(request: ModelRequest) -> Answer:
        first = request.messages[0]["content"][0]["text"]
        own = sum(message["role"] == "assistant" for message in request.messages)
        if own > 1 or request.tool_names == ["finish"]:
            return finish("partial", "enough")
        content, stop = cases[int(first)][own]
        return answer(content, stop_reason=stop)

    async with stage(AGENT, script, exhausted=False, seconds=60) as on:
        runs = [await on.start(str(number)) for number in range(len(cases))]
        views = await asyncio.gather(*(settled(on, run) for run in runs))
        for run, view in zip(runs, views, strict=True):
            if view.finished_at is None:
                assert view.requests
                await run.cancel(by="the test")
                assert (await run.outcome()).status == "cancelled"
        on.model.assert_all_legal()
    assert {view.status for view in views} <= SETTLED


async def test_whatever_a_tool_returns(stage: SetStage) -> None:
    """Python's worst: the model gets a text or an error, and the run completes."""
    RETURNED[:] = [*ODD, *some(json_values, 12)]

    def script(request: ModelRequest) -> Answer:
        number = int(request.messages[0]["content"][0]["text"])
        return call("odd", n=number) if len(request.messages) == 1 else finish(result="seen")

    async with stage(AGENT, script, seconds=60) as on:
        runs = [await on.start(str(number)) for number in range(len(RETURNED))]
        views = await asyncio.gather(*(settled(on, run) for run in runs))
    assert {view.status for view in views} == {"completed"}
    assert {call.status for view in views for step in view.steps for call in step.calls} <= {"done", "failed"}


SIGNALS = ["approve", "reject", "answer", "message", "pause", "resume"]


async def test_whatever_a_signal_holds(stage: SetStage) -> None:
    """Random values for every signal: each is used or recorded as ignored, and the run still takes the right answer."""
    payloads = [
        *some(json_values, 12),
        *some(st.fixed_dictionaries({"by": json_values, "text": json_values, "request": json_values}), 6),
        {"by": "ana", "reason": 7},
        [[[[{}]]]],
    ]
    async with stage(AGENT, [call("ask_human", question="Well?"), finish(result="ended")], seconds=60) as on:
        run = await on.start()
        request = await run.next_request()
        handle = on.client.temporal.get_workflow_handle(run.id)
        for name in SIGNALS:
            for payload in payloads:
                await handle.signal(name, payload)
            await handle.signal(name)
            await handle.signal(name, args=[1, {"by": "x"}, None])
        await settled(on, run)
        if (await run.inspect()).paused is not None:
            await run.resume(by="ana")
        await run.answer(request, "yes", by="dana")
        assert await run.result() == "ended"
        view = await settled(on, run)
        assert view.ignored
