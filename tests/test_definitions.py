"""Defining tools and agents: what is unsafe or impossible is refused where it is written, with the fix."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from holdfast import (
    Approval,
    DefinitionError,
    Limits,
    Model,
    Retry,
    Rules,
    Tool,
    ToolContext,
    Verdict,
    arg,
    tool,
)
from tests.defined import Fussy, a_tool, allow, an_agent, from_schema, pay, plan, remote, take_back

Define = Callable[[], Any]


class NotData:
    """A type that has no JSON form."""


def rehearse_otherwise(number: int) -> str:
    """A dry run that cannot be called as `pay` is."""
    return str(number)


def undocumented(order: str) -> str:
    return order


def untyped(order) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001  # what is refused
    """Take anything."""
    return str(order)


def starred(*orders: str) -> str:
    """Take many."""
    return ""


def unknown_type(order: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821  # what is refused
    """Take what nobody has defined."""
    return ""


def takes_an_object(order: NotData) -> str:
    """Take what has no JSON form."""
    return ""


def takes_a_function(order: Callable[[], int]) -> str:
    """Take what has no JSON Schema."""
    return ""


def returns_an_object(order: str) -> NotData:
    """Return what has no JSON form."""
    return NotData()


def private(_order: str) -> str:
    """Take what pydantic would leave out."""
    return ""


def maybe_context(ctx: ToolContext | None, order: str) -> str:
    """Take a context, perhaps."""
    return ""


def two_contexts(ctx: ToolContext, also: ToolContext) -> str:
    """Take two contexts."""
    return ""


def named(name: str) -> Tool[..., Any]:
    """A tool of this name."""
    return a_tool(name=name)


REFUSED: dict[str, tuple[Define, str]] = {
    # The functions of tools
    "no docstring": (lambda: tool(undocumented), "'undocumented' has no docstring"),
    "no annotation": (lambda: tool(untyped), "parameter 'order' needs a type annotation"),
    "many arguments": (lambda: tool(starred), r"parameter \*orders must be a plain named one"),
    "unknown type": (lambda: tool(unknown_type), "import their types outside of `if TYPE_CHECKING:`"),
    "parameter without JSON": (lambda: tool(takes_an_object), "parameters have no JSON form"),
    "parameter without schema": (lambda: tool(takes_a_function), "parameters have no JSON form"),
    "result without JSON": (lambda: tool(returns_an_object), "return type has no JSON form"),
    "private parameter": (lambda: tool(private), "'_order' must not begin with '_'"),
    "a context that the model could fill in": (lambda: tool(maybe_context), "ctx must be one parameter"),
    "two contexts": (lambda: tool(two_contexts), "ctx and also must be one parameter"),
    "a tool of a tool": (lambda: tool(a_tool()), r"Tool\('pay'\) is none"),
    "a tool of a class": (lambda: tool(NotData), "stands above a function"),
    "a tool of a number": (lambda: tool(5), "stands above a function"),  # type: ignore[call-overload]  # what is refused
    "a tool without a name": (lambda: tool(functools.partial(pay, order="7")), r"give @tool\(name='…'\)"),
    # The names of tools
    "a name with a space": (lambda: named("pay now"), "must be 1 to 64 letters"),
    "a name with a line break": (lambda: named("pay\n"), "must be 1 to 64 letters"),
    "a name with a colon": (lambda: named("pay:undo"), "must be 1 to 64 letters"),
    "a long name": (lambda: named("x" * 65), "must be 1 to 64 letters"),
    "an activity of the engine": (lambda: named("plan"), "'plan' belongs to the engine"),
    "a built-in call, as the API spells it": (lambda: named("ask.human"), "'ask.human' belongs to the engine"),
    "a built-in call": (lambda: named("finish"), "'finish' belongs to the engine"),
    # The promises of tools
    "an unknown effect": (lambda: a_tool(effect="writes"), "effect: Input should be 'read'"),
    "an unknown option": (lambda: a_tool(retries=3), "unknown option retries"),
    "a timeout in seconds": (lambda: a_tool(timeout=5), "timeout must be a timedelta above zero"),
    "no timeout": (lambda: a_tool(timeout=None), "timeout must be a timedelta above zero"),
    "no time": (lambda: a_tool(timeout=timedelta(0)), "timeout must be a timedelta above zero"),
    "a heartbeat in seconds": (lambda: a_tool(heartbeat=5), "heartbeat must be a timedelta above zero"),
    "no room for a result": (lambda: a_tool(max_result_chars=0), "max_result_chars"),
    "reversible by nothing": (lambda: a_tool(effect="reversible"), "give `undo=…`, or say effect='irreversible'"),
    "an undo of a read": (lambda: a_tool(effect="read", undo=take_back), "say effect='reversible'"),
    "a write that may happen twice": (lambda: a_tool(retry=Retry(attempts=2)), "say idempotent=True"),
    "an undo that is text": (lambda: a_tool(effect="reversible", undo="undo"), "'undo' is none"),
    "a guard without its list": (lambda: a_tool(guards=allow), r"guards must be a list, such as \[allow\]"),
    "a guard that is text": (lambda: a_tool(guards=["allow"]), "guards must be functions, and 'allow' is none"),
    "a guard that is a class": (lambda: a_tool(guards=[Fussy]), "guards must be functions"),
    "a refresh that is text": (lambda: a_tool(refresh="log in"), "refresh must be a function, and 'log in' is none"),
    "a refresh that wants to know more": (
        lambda: a_tool(refresh=take_back),
        "its refresh is called without arguments, or with one annotated as ToolContext",
    ),
    "a remote tool's refresh": (
        lambda: remote(refresh=print),
        "leave out refresh; its own worker renews its credentials",
    ),
    "a dry run of something else": (
        lambda: a_tool(dry_run=rehearse_otherwise), "its dry_run must have the same parameters"
    ),
    "a key of nothing": (lambda: a_tool(key=" "), "names of arguments"),
    "a key of an unknown argument": (lambda: a_tool(key="pay/{id}"), "uses id, but its arguments are amount, order"),
    "a key that is not closed": (lambda: a_tool(key="pay/{order"), "expected '}' before end of string"),
    "a key of a position": (lambda: a_tool(key="pay/{}"), "nothing else between the braces"),
    "a key with a format": (lambda: a_tool(key="pay/{order:>9}"), "nothing else between the braces"),
    "a key with a conversion": (lambda: a_tool(key="pay/{order!r}"), "nothing else between the braces"),
    "a condition on an unknown argument": (
        lambda: a_tool(approval=Approval(when=(arg("order") == 1) & (arg("cost") > 5))), "uses cost"
    ),
    # Values
    "half a condition": (lambda: Approval(when=1 < arg("n") < 9), "join conditions with & and |"),
    "a condition that is none": (lambda: Approval(when=True), "is no condition"),  # type: ignore[arg-type]  # what is refused
    "one of a text": (lambda: arg("region").is_in("eu-west-1"), "must be a list"),
    "one of a set": (lambda: arg("region").is_in({"eu", "us"}), "must be a list"),  # type: ignore[arg-type]  # the same
    "an approval by nobody": (lambda: Approval(by=" "), "who is asked"),
    "an approval that is over": (lambda: Approval(expires_in=timedelta(0)), "expires_in must be a timedelta"),
    "a reminder when it is too late": (
        lambda: Approval(remind_after=timedelta(hours=2), expires_in=timedelta(hours=1)),
        "remind_after must be shorter than expires_in",
    ),
    "an escalation to nobody": (
        lambda: Approval(escalate_after=timedelta(hours=2)), "escalate_after and escalate_to belong together",
    ),
    "an escalation at no time": (lambda: Approval(escalate_to="cfo"), "belong together"),
    "an escalation to who is asked": (
        lambda: Approval(by="finops", escalate_after=timedelta(hours=2), escalate_to="Finops "), "asked already",
    ),
    "no attempt": (lambda: Retry(attempts=0), "attempts: Input should be greater than 0"),
    "waits that shrink": (lambda: Retry(coefficient=0.5), "waits do not get shorter"),
    "no wait": (lambda: Retry(initial=timedelta(0)), "initial must be a timedelta above zero"),
    "no steps": (lambda: Limits(steps=0), "steps: Input should be greater than 0"),
    "money as a float": (lambda: Limits(cost_usd=0.1), "must be a string or Decimal"),  # type: ignore[arg-type]  # what is refused
    "money that is none": (lambda: Limits(cost_usd="a lot"), "must be an amount above zero"),
    "no money": (lambda: Limits(cost_usd="0"), "must be an amount above zero"),
    "money without end": (lambda: Limits(cost_usd="Infinity"), "must be an amount above zero"),
    "a day in hours": (lambda: Limits(wall_clock=24), "wall_clock must be a timedelta"),  # type: ignore[arg-type]  # the same
    # Schemas
    "a schema of a list": (lambda: from_schema({"type": "array"}), "must describe an object"),
    "a schema that is none": (lambda: from_schema({"type": "thing"}), "does not compile"),
    "a schema from elsewhere": (lambda: from_schema({"$ref": "https://example.com/a.json"}), "does not compile"),
    "a schema with an object": (lambda: from_schema({"default": NotData()}), "does not compile"),
    "an output schema that is none": (lambda: from_schema({}, output_schema={"type": "thing"}), "does not compile"),
    "a remote output schema that is none": (lambda: remote(output_schema={"type": "thing"}), "does not compile"),
    "a remote tool without a queue": (lambda: remote(task_queue=""), "say the task_queue"),
    "a remote tool without patience": (lambda: remote(queue_timeout=timedelta(0)), "queue_timeout must be"),
    "a remote tool that is undone": (lambda: remote(effect="reversible"), "give `undo=…`"),
    # Agents
    "an agent without a name": (lambda: an_agent(name=""), "must be 1 to 64 characters without spaces"),
    "an agent with a space": (lambda: an_agent(name="my agent"), "must be 1 to 64 characters without spaces"),
    "an agent with a control character": (lambda: an_agent(name="a\x00"), "must be 1 to 64 characters"),
    "no instructions": (lambda: an_agent(instructions=None), "instructions: Input should be a valid string"),
    "no ladder": (lambda: an_agent(ladder=[]), r"give ladder=\[Model\(…\)\]"),
    "a ladder that is a model": (lambda: an_agent(ladder=Model("m")), "ladder must be a list"),
    "a rung that is text": (lambda: an_agent(ladder=["claude"]), "write Model"),
    "a model without a name": (lambda: an_agent(ladder=[Model(" ")]), "needs the name of the model"),
    "a model without words": (lambda: an_agent(ladder=[Model("m", max_tokens=0)]), "max_tokens"),
    "a model without time": (lambda: an_agent(ladder=[Model("m", timeout=timedelta(0))]), "Model: timeout"),
    "thoughts that are no JSON": (lambda: an_agent(ladder=[Model("m", thinking={"x": NotData()})]), "no JSON"),
    "rules without a function": (lambda: an_agent(ladder=[Rules("plan")]), "function that plans"),  # type: ignore[arg-type]  # what is refused
    "rules without a name": (lambda: an_agent(ladder=[Rules(functools.partial(plan))]), "function that plans"),
    "the same rules twice": (lambda: an_agent(ladder=[Rules(plan), Rules(plan)]), "two rule planners named plan"),
    "a function that is no tool": (lambda: an_agent(tools=[pay]), "put @tool above the function"),
    "a tool without its list": (lambda: an_agent(tools=a_tool()), r"tools must be a list, such as \[pay\]"),
    "two tools of one name": (lambda: an_agent(tools=[a_tool(), a_tool()]), "two tools named pay"),
    "two tools of one spelling": (lambda: an_agent(tools=[named("a.b"), named("a_b")]), "two tools .* named a_b"),
    "two guards of one name": (
        lambda: an_agent(guards=[lambda _: Verdict.allow(), lambda _: Verdict.allow()]), "two guards named <lambda>"
    ),
    "an unknown autonomy": (lambda: an_agent(autonomy="total"), "autonomy: Input should be 'observe'"),
    "a write that nobody approves": (lambda: an_agent(autonomy="full", tools=[a_tool()]), "waiver='why nobody needs to'"),
    "approvers that are nobody": (lambda: an_agent(approvers=""), "say in `approvers`"),
    "an output without JSON": (lambda: an_agent(output=NotData), "its output has no JSON form"),
    "instructions that are no Unicode": (lambda: an_agent(instructions="\ud800"), "Agent 'agent'"),
    "a condition that is no JSON": (
        lambda: an_agent(tools=[a_tool(approval=Approval(when=arg("order") == NotData()))]), "no JSON"
    ),
    "a change of nothing": (lambda: an_agent().but(instruction="x"), "has no attribute instruction"),
    "a change for the worse": (lambda: an_agent().but(ladder=[]), "has no planner"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_kept_is_refused_where_it_is_written(what: str) -> None:
    """Each mistake of an author is a DefinitionError of a line or two that holds the fix."""
    define, words = REFUSED[what]
    with pytest.raises(DefinitionError, match=words) as caught:
        define()
    assert len(str(caught.value)) < 500
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_refresh_is_code_and_not_part_of_the_version() -> None:
    """A tool that can renew its credentials is the same tool to every run that knows it."""
    assert a_tool(refresh=lambda: None).spec == a_tool().spec
