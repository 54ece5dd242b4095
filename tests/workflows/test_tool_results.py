"""What a tool returns: checked against its promise, made safe, cut to size, and never a reason to repeat an effect."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from holdfast import Agent, Tool, ToolContext, tool
from holdfast.testing import call, calls, finish, say
from tests.stage import CLAUDE, SetStage


class Customer(BaseModel):
    customer_id: str
    balance: Decimal


def agent_with(*tools: Tool[..., Any], **options: Any) -> Agent[str]:
    """An agent that may do everything with these tools."""
    options = {"autonomy": "full", **options}
    return Agent(name="worker", instructions="Work.", tools=tools, ladder=[CLAUDE], **options)


def cyclic() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("not even its name")


UNSAFE: dict[str, Callable[[], Any]] = {
    "lone surrogate": lambda: "half \ud800",
    "lone surrogate in a key": lambda: {"\udfff": 1},
    "NUL": lambda: "a\x00b",
    "bytes": lambda: b"\xff\xfe",
    "bytes inside": lambda: {"body": [b"\xff"]},
    "integer of thousands of digits": lambda: 10**5_000,
    "nested 900 deep": lambda: nested(900),
    "NaN": lambda: math.nan,
    "infinity inside": lambda: [1.0, -math.inf],
    "itself": cyclic,
    "set": lambda: {1, 2},
    "an object without a spelling": Unspeakable,
    "nothing": lambda: None,
    "keys that are no text": lambda: {(1, 2): "a", None: "b"},
}


@pytest.mark.parametrize("typed", [Any, object, None], ids=["any", "object", "from a schema"])
async def test_a_result_that_json_has_not_does_not_repeat_the_effect(stage: SetStage, typed: Any) -> None:
    """Whatever a write returns, it is made safe before it is stored: the write happens once and the run goes on."""
    effects: list[str] = []

    def returns(name: str, make: Callable[[], Any]) -> Tool[..., Any]:
        async def write() -> Any:
            """Write, and return something strange."""
            effects.append(name)
            return make()

        async def write_by_schema(ctx: ToolContext, arguments: dict[str, Any]) -> Any:
            return await write()

        promises: dict[str, Any] = {"effect": "irreversible", "idempotent": True, "waiver": "a list"}
        if typed is None:
            schema = {"type": "object", "properties": {}}
            return Tool.from_schema(
                name, write_by_schema, description="Write.", input_schema=schema, **promises
            )
        write.__annotations__["return"] = typed
        return tool(name=name, **promises)(write)

    names = {f"write_{number}": make for number, make in enumerate(UNSAFE.values())}
    agent = agent_with(*(returns(name, make) for name, make in names.items()))
    async with stage(agent, [calls(*((name, {}) for name in names)), finish(result="ok")], seconds=15) as on:
        run = await on.start()
        assert await run.result() == "ok"
        statuses = {call.tool: call.status for call in (await run.inspect()).steps[0].calls}
    assert sorted(effects) == sorted(names)
    assert set(statuses.values()) <= {"done", "failed"}
    assert len((await run.outcome()).effects) == len(names)


async def test_a_result_that_breaks_its_promise_is_told_to_the_model_and_noticed(stage: SetStage) -> None:
    """A vendor that renames a field is an integration failure: no data for the model, and a notice for people."""

    @tool(effect="read")
    async def customer(name: str) -> Customer:
        """Find a customer."""
        return {"customerId": name, "balance": "1"}  # type: ignore[return-value]  # the point

    async with stage(agent_with(customer), [call("customer", name="ana"), finish(result="ok")]) as on:
        run = await on.start()
        await run.result()
        assert "does not have the promised form" in on.told()[0]
        assert "customer_id" in on.told()[0]
        record = (await run.inspect()).steps[0].calls[0]
        notices = [event.text async for event in run.events() if event.kind == "notice"]
    assert (record.status, record.failure.kind if record.failure else "") == ("failed", "contract")
    assert any("customer does not keep its contract" in text for text in notices)


async def test_a_write_that_breaks_its_promise_is_still_an_effect(stage: SetStage) -> None:
    """The answer is not what was promised, but the write was made: it is not repeated, and is on record."""
    made: list[str] = []

    @tool(effect="irreversible", idempotent=True, waiver="a list")
    async def create(name: str) -> Customer:
        """Create a customer."""
        made.append(name)
        return {"id": 7}  # type: ignore[return-value]  # the point

    async with stage(agent_with(create), [call("create", name="ana"), finish(result="ok")]) as on:
        outcome = await on.outcome()
    assert made == ["ana"]
    assert [effect.tool for effect in outcome.effects] == ["create"]


async def test_an_output_schema_is_held_to_as_a_return_type_is(stage: SetStage) -> None:
    """A tool from a schema is checked against the output schema that it was given."""
    count = Tool.from_schema(
        "count",
        lambda _, arguments: {"n": arguments["n"]},
        description="Count.",
        input_schema={"type": "object", "properties": {"n": {}}},
        output_schema={"type": "object", "properties": {"n": {"type": "integer"}}},
        effect="read",
    )
    plan = calls(("count", {"n": 1}), ("count", {"n": "one"}))
    async with stage(agent_with(count), [plan, finish(result="ok")]) as on:
        await on.result()
        good, bad = on.told()
    assert good == '{"n":1}'
    assert "does not have the promised form" in bad


async def test_typed_results_reach_the_model_as_json(stage: SetStage) -> None:
    """Models, decimals and lists are sent as compact JSON; text is sent as it is; nothing is said to be nothing."""

    @tool(effect="read")
    async def customers() -> list[Customer]:
        """All customers."""
        return [Customer(customer_id="ü", balance=Decimal("0.10"))]

    @tool(effect="read")
    async def silent() -> str:
        """Say nothing."""
        return ""

    plan = calls(("customers", {}), ("silent", {}))
    async with stage(agent_with(customers, silent), [plan, finish(result="ok")]) as on:
        await on.result()
        assert on.told() == ['[{"customer_id":"ü","balance":"0.10"}]', "(empty result)"]


async def test_a_large_result_is_cut_to_its_head_and_tail(stage: SetStage) -> None:
    """Of 100 KB the model gets the beginning, the end, and a note of how much is missing between."""

    @tool(effect="read")
    async def read_log() -> str:
        """Read a log."""
        return "HEAD" + "x" * 100_000 + "TAIL"

    async with stage(agent_with(read_log), [call("read_log"), finish(result="ok")]) as on:
        await on.result()
        told = on.told()[0]
    assert told.startswith("HEAD")
    assert told.endswith("TAIL")
    assert "of 100008 characters left out" in told
    assert len(told) <= 16_000


async def test_a_sync_tool_runs_beside_the_event_loop(stage: SetStage) -> None:
    """A plain function may block: it runs in a thread, while other calls of the step go on."""
    import threading

    let_go = threading.Event()

    @tool(effect="read")
    def blocking() -> str:
        """Block until somebody lets go."""
        return "free" if let_go.wait(10) else "stuck"

    @tool(effect="read")
    async def freeing() -> str:
        """Let go."""
        let_go.set()
        return "freed"

    plan = calls(("blocking", {}), ("freeing", {}))
    async with stage(agent_with(blocking, freeing), [plan, say("ok")]) as on:
        await on.result()
        assert on.told(1) == ["free", "freed"]


async def test_hundreds_of_tools_made_in_a_loop_are_served(stage: SetStage) -> None:
    """An agent may have 300 tools from schemas, each with its own callable under its own name."""

    def made(number: int) -> Tool[..., Any]:
        async def run(ctx: ToolContext, arguments: dict[str, Any]) -> str:
            return f"{number}: {arguments['q']} for {ctx.call}"

        schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
        return Tool.from_schema(
            f"api.search_{number}", run, description=f"Search {number}.", input_schema=schema, effect="read"
        )

    plan = calls(("api_search_0", {"q": "a"}), ("api_search_299", {"q": "b"}), ("api_search_300", {"q": "c"}))
    async with stage(agent_with(*map(made, range(300))), [plan, finish(result="ok")]) as on:
        await on.result()
        assert len(on.model.requests[0].tool_names) == 302
        first, last, beyond = on.told()
    assert (first, last) == ("0: a for 1.1", "299: b for 1.2")
    assert "There is no tool" in beyond


async def test_the_schema_of_a_tool_reaches_the_model_unchanged(stage: SetStage) -> None:
    """References, patterns, unions and draft keywords arrive as they were written."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "who": {"$ref": "#/definitions/name"},
            "n": {"anyOf": [{"type": ["integer", "null"]}, {"const": "all"}]},
        },
        "definitions": {"name": {"type": "string", "pattern": r"^\p{L}+$"}},
        "required": ["who"],
    }
    find = Tool.from_schema(
        "find", lambda *_: "found", description="Find.", input_schema=schema, effect="read"
    )
    plan = calls(("find", {"who": "Zoë", "n": None}), ("find", {"who": "R2D2"}))
    async with stage(agent_with(find), [plan, finish(result="ok")]) as on:
        await on.result()
        offered = on.model.requests[0].body["tools"][0]["input_schema"]
        good, bad = on.told()
    assert offered == schema
    assert good == "found"
    assert "R2D2" in bad
