"""Tool-call errors: the wrong tool, the wrong words, the wrong order."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from holdfast import Agent, Correctable, tool
from holdfast.testing import call, calls, say
from tests.failure_modes.seen import no_task_failed
from tests.stage import CLAUDE, SetStage

DONE: list[str] = []


class Address(BaseModel):
    street: str
    number: int


@tool(effect="irreversible")
async def delete_customer(customer_id: int) -> str:
    """Delete a customer for good."""
    DONE.append(f"deleted {customer_id}")
    return "deleted"


@tool(effect="read")
async def find(customer_id: int) -> str:
    """Find a customer."""
    DONE.append(f"found {customer_id}")
    if customer_id > 100:
        raise Correctable(f"there is no customer {customer_id}; ids go up to 100")
    return f"customer {customer_id}"


@tool(effect="read")
async def check(addresses: list[Address]) -> str:
    """Check addresses."""
    DONE.append(f"checked {len(addresses)}")
    return "fine"


AGENT = Agent(
    name="caller",
    instructions="Go.",
    tools=[delete_customer, find, check],
    ladder=[CLAUDE],
    autonomy="supervised",
)


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    """Each test counts for itself."""
    DONE.clear()


async def test_the_wrong_tool_stops_before_it_writes(stage: SetStage) -> None:
    """A tool that does not exist is refused with those that do; the one that deletes is shown to a person first."""
    script = [
        call("deactivate_customer", customer_id=7),
        call("delete_customer", customer_id=7),
        say("Left."),
    ]
    async with stage(AGENT, script) as on:
        run = await on.start()
        request = await run.next_request(kind="approval")
        assert "delete_customer" in on.told(1)[0]
        assert (request.tool, request.arguments) == ("delete_customer", {"customer_id": 7})
        await run.reject(request, by="dana", reason="deactivate means hide")
        assert await run.result() == "Left."
        assert "deactivate means hide" in on.told()[0]
    assert DONE == []


async def test_a_similar_parameter_is_not_guessed(stage: SetStage) -> None:
    """`id` and `user_id` are not `customer_id`: nothing runs, and the model is told the right name."""
    script = [calls(("find", {"id": 7}), ("find", {"user_id": 7})), call("find", customer_id=7), say("7.")]
    async with stage(AGENT, script) as on:
        assert await on.result() == "7."
        told = on.told(1)
    assert all("customer_id" in text for text in told)
    assert DONE == ["found 7"]


async def test_nested_arguments_are_checked_to_their_leaves(stage: SetStage) -> None:
    """The model is told which leaf of which item is wrong."""
    wrong = call("check", addresses=[{"street": "A", "number": 1}, {"street": "B", "number": "two"}])
    right = call("check", addresses=[{"street": "A", "number": 1}, {"street": "B", "number": 2}])
    async with stage(AGENT, [wrong, right, say("Checked.")]) as on:
        assert await on.result() == "Checked."
        assert "addresses" in on.told(1)[0]
        assert "number" in on.told(1)[0]
    assert DONE == ["checked 2"]


async def test_an_error_in_one_call_does_not_look_like_a_result_to_the_next(stage: SetStage) -> None:
    """What failed is marked as an error; what did not depend on it is done; the model plans on from both."""
    script = [calls(("find", {"customer_id": 500}), ("find", {"customer_id": 5})), say("Only 5 exists.")]
    async with stage(AGENT, script) as on:
        run = await on.start()
        assert await run.result() == "Only 5 exists."
        results = [b for b in on.model.requests[-1].messages[-1]["content"] if b["type"] == "tool_result"]
        await no_task_failed(on, run)
        statuses = [one.status for one in (await run.inspect()).steps[0].calls]
    assert [bool(one.get("is_error")) for one in results] == [True, False]
    assert statuses == ["failed", "done"]


async def test_a_rule_beyond_the_schema_is_told_as_such(stage: SetStage) -> None:
    """The tool itself says what no schema holds, and the model corrects its call; the tool is not tried again unasked."""
    script = [call("find", customer_id=101), call("find", customer_id=100), say("Found.")]
    async with stage(AGENT, script) as on:
        assert await on.result() == "Found."
        assert "ids go up to 100" in on.told(1)[0]
        assert "Correct the call" in on.told(1)[0]
    assert DONE == ["found 101", "found 100"]
