"""What a definition makes: the schema that the model sees, the promises that are kept, and the version."""

from __future__ import annotations

import copy
from datetime import timedelta
from decimal import Decimal

import pytest

from holdfast import Approval, Limits, Model, Rules, ToolContext, arg, tool
from holdfast.contracts.spec import AgentSpec
from policies.validation import argument_problems
from tests.defined import (
    Fussy,
    Open,
    Order,
    a_tool,
    allow,
    an_agent,
    from_schema,
    pay,
    plan,
    rehearse,
    remote,
    take_back,
)


def test_one_decorator_may_stand_above_many_functions() -> None:
    """The promises of a decorator that is used again are all kept, its guards first of all."""
    guarded = tool(effect="reversible", undo=take_back, guards=[allow], name="first")
    for made in (guarded(pay), guarded(pay)):
        assert (made.spec.name, made.spec.guards, made.spec.has_undo) == ("first", ("allow",), True)
        assert made.guards == (allow,)


def test_a_tool_is_still_its_function() -> None:
    """Calling a tool calls the function, as a unit test does; a remote one says where it runs."""
    ctx = ToolContext(run="r", call="1.1", agent="a", idempotency_key="k")
    assert a_tool()(ctx, "7", amount=Decimal(2)) == "paid 2 for 7"
    with pytest.raises(TypeError, match="it runs on task queue 'billing'"):
        remote()(order="7")


def test_the_model_sees_the_arguments_and_not_the_context() -> None:
    """The schema holds the function's parameters with their defaults, and takes no others."""
    schema = a_tool().spec.input_schema
    assert set(schema["properties"]) == {"order", "amount"}
    assert schema["required"] == ["order"]
    assert schema["additionalProperties"] is False


def test_unknown_fields_within_an_argument_are_refused() -> None:
    """Left alone, they would be dropped: what a human approved would not be what is executed."""

    @tool
    def ship(order: Order, others: list[Order], extra: Open) -> str:
        """Ship an order."""
        return f"{order} {others} {extra}"

    sound = {"order": {"number": 1}, "others": [{"number": 2}], "extra": {"anything": 3}}
    assert argument_problems(ship.spec, sound) == ""
    for wrong in (
        {**sound, "order": {"number": 1, "nubmer": 2}},
        {**sound, "others": [{"number": 1, "nubmer": 2}]},
    ):
        assert "nubmer" in argument_problems(ship.spec, wrong)


@pytest.mark.filterwarnings("error")
def test_arguments_may_be_called_as_they_are() -> None:
    """`schema`, `copy` and `model_id` are good names of arguments, whatever pydantic calls its methods."""

    def query(schema: str, copy: bool, json: str = "", model_id: int = 0) -> str:
        """Query a table."""
        return f"{schema} {copy} {json} {model_id}"

    made = tool(query)
    assert list(made.spec.input_schema["properties"]) == ["schema", "copy", "json", "model_id"]
    assert made.arguments is not None
    parsed = made.arguments.model_validate({"schema": "s", "copy": True, "model_id": 3})
    assert {name: getattr(parsed, name) for name in made.arguments.model_fields} == {
        "schema": "s", "copy": True, "json": "", "model_id": 3,
    }  # fmt: skip


def test_a_dry_run_may_have_a_context_or_none() -> None:
    """What matters is that it can be called with the tool's arguments."""
    assert a_tool(dry_run=rehearse).spec.has_dry_run
    assert a_tool(dry_run=pay).spec.has_dry_run


def test_schemas_reach_the_model_as_they_are() -> None:
    """A given schema is not rewritten, whatever its draft, and an output may be of any type."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "x-note": [1, {"a": None}],
    }
    made = from_schema(copy.deepcopy(schema), output_schema={"type": "array"})
    assert made.spec.input_schema == schema
    assert made.spec.output_schema == {"type": "array"}
    assert remote(input_schema=Order).spec.input_schema == Order.model_json_schema()


def test_a_remote_tool_is_guarded_here() -> None:
    """Its code is elsewhere; its guards are not."""
    made = remote(guards=[allow, Fussy()])
    assert made.spec.guards == ("allow", "Fussy")
    assert [type(guard).__name__ for guard in made.guards] == ["function", "Fussy"]
    assert made.spec.task_queue == "billing"


def test_undeclared_promises_are_the_safe_ones() -> None:
    """A tool that promises nothing is taken for an irreversible write, and an agent simulates it."""
    spec = a_tool().spec
    assert (spec.effect, spec.idempotent, spec.repeatable, spec.writes) == (
        "irreversible",
        False,
        False,
        True,
    )
    assert an_agent().spec.autonomy == "observe"


def test_durations_are_kept_in_seconds() -> None:
    """A spec is data for every language."""
    spec = a_tool(
        timeout=timedelta(minutes=2), heartbeat=None, approval=Approval(expires_in=timedelta(days=1))
    ).spec
    assert (spec.timeout_seconds, spec.heartbeat_seconds) == (120.0, None)
    assert spec.approval is not None
    assert spec.approval.expires_in_seconds == 86_400.0
    assert Limits(cost_usd="0.50", wall_clock=timedelta(hours=2)).wall_clock_seconds == 7200.0


def test_an_agent_is_the_same_after_it_was_sent() -> None:
    """What a run records is the agent that was defined: same data, same version."""
    agent = an_agent(
        tools=[
            a_tool(approval=Approval(when=(arg("amount") > Decimal("1.50")) | arg("order").is_in(("a", 1))))
        ],
        output=list[Order] | None,
        ladder=[Model("m", thinking={"type": "enabled", "budget_tokens": 1024}), Rules(plan)],
        limits=Limits(cost_usd="0.50"),
    )
    again = AgentSpec.model_validate_json(agent.spec.model_dump_json())
    assert again.digest == agent.digest


def test_a_changed_agent_is_another_version() -> None:
    """`but` leaves the agent as it is and makes one with another digest, or with the same if nothing changed."""
    agent = an_agent(tools=[a_tool()])
    assert agent.but(instructions="Be quick.").digest != agent.digest
    assert agent.but(instructions="").digest == agent.digest
    assert agent.tool("pay") is agent.tools[0]
    assert an_agent(ladder=[Rules(plan)]).planner("plan") is plan
