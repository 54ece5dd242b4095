"""Agents: frozen values that say what to do, with which tools, on which planners, within which bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Generic, Literal

import pydantic
from pydantic import TypeAdapter
from typing_extensions import TypeVar

from holdfast.context import Call, Finish, PlanView
from holdfast.contracts.compacting import CompactionSpec
from holdfast.contracts.spec import (
    AgentSpec,
    Autonomy,
    BudgetSpec,
    HumanRung,
    LimitsSpec,
    ModelRung,
    RetrySpec,
    RulesRung,
    Rung,
)
from holdfast.errors import DefinitionError
from holdfast.promises import Guard, first_sentence, functions, guard_name, in_words, listed, seconds
from holdfast.tools import Tool

OutT = TypeVar("OutT", default=str)

Planner = Callable[[PlanView], Sequence[Call] | Finish | Awaitable[Sequence[Call] | Finish]]
"""A rule planner: plans without a model. It runs in an activity and may do I/O, but not write."""


@dataclass(frozen=True)
class Model:
    """A rung of the ladder that is a model behind the Messages API.

    Attributes:
        name: As the provider spells it.
        max_tokens: The longest answer, in output tokens.
        thinking: The API's own `thinking` object, passed on unchanged.
        timeout: The longest one answer may take.
        heartbeat: A worker silent this long is taken for dead, and another asks again.
        retry: How often the model is asked, when it fails, before the next rung is.
        usd_per_million_tokens: What input and output cost, for a model that no list of prices knows.
        context_window: How many tokens it takes; the transcript is summarised before it holds more.
    """

    name: str
    max_tokens: int = 8_192
    thinking: dict[str, Any] | None = None
    timeout: timedelta = timedelta(minutes=10)
    heartbeat: timedelta = timedelta(seconds=15)
    retry: RetrySpec = RetrySpec()
    usd_per_million_tokens: tuple[str | Decimal, str | Decimal] | None = None
    context_window: int = 200_000

    def rung(self) -> Rung:
        """The rung as data. Raises DefinitionError."""
        prices = self.usd_per_million_tokens
        return ModelRung(
            kind="model",
            model=self.name,
            max_tokens=self.max_tokens,
            thinking=self.thinking,
            timeout_seconds=seconds("Model: timeout", self.timeout),
            heartbeat_seconds=seconds("Model: heartbeat", self.heartbeat),
            retry=self.retry,
            usd_per_million_tokens=None if prices is None else _prices(prices),
            context_window=self.context_window,
        )


@dataclass(frozen=True)
class Human:
    """A rung of the ladder that is a person, who is asked to plan when no rung above can.

    Attributes:
        by: Who is asked: a role or team.
        expires_in: Unanswered this long, the next rung is asked, or the run is parked; None waits for ever.
    """

    by: str
    expires_in: timedelta | None = None

    def rung(self) -> Rung:
        """The rung as data. Raises DefinitionError."""
        expires = None if self.expires_in is None else seconds("Human: expires_in", self.expires_in)
        return HumanRung(kind="human", by=self.by, expires_in_seconds=expires)


@dataclass(frozen=True)
class Rules:
    """A rung of the ladder that is a Python function: `plan(view) -> [Call(…), …] | Finish(…)`."""

    function: Planner
    timeout: timedelta = timedelta(seconds=30)

    def rung(self) -> Rung:
        """The rung as data."""
        return RulesRung(
            kind="rules",
            function=planner_name(self.function),
            timeout_seconds=seconds("Rules: timeout", self.timeout),
        )


def Limits(  # noqa: N802  # a value an author writes; the class behind it is a contract
    *,
    steps: int = 20,
    calls: int = 50,
    tokens: int | None = None,
    cost_usd: str | Decimal | None = None,
    wall_clock: timedelta | None = None,
    working_time: timedelta | None = None,
    at_limit: Literal["finish", "ask"] = "finish",
    ask_above_usd: str | Decimal | None = None,
) -> LimitsSpec:
    """Where a run must stop [20 steps, 50 calls]; then the agent gets one last turn without tools.

    After it the run ends as partial; with `at_limit="ask"` it asks the approvers for more, and waits.
    `working_time` is `wall_clock` without the waits for people. With `ask_above_usd` a human is asked before a plan that may cost more than that.
    Money is in USD and given as a string or Decimal, never as a float. Raises DefinitionError.
    """
    if not isinstance(cost_usd, str | Decimal | None):
        raise DefinitionError(f"Limits: cost_usd={cost_usd!r} must be a string or Decimal, such as '0.50'.")
    if not isinstance(ask_above_usd, str | Decimal | None):
        raise DefinitionError(f"Limits: ask_above_usd={ask_above_usd!r} must be a string, such as '0.25'.")
    try:
        return LimitsSpec(
            steps=steps,
            calls=calls,
            tokens=tokens,
            cost_usd=_amount(cost_usd) if cost_usd is not None else None,
            ask_above_usd=None if ask_above_usd is None else _amount(ask_above_usd, "Limits: ask_above_usd"),
            wall_clock_seconds=None if wall_clock is None else seconds("Limits: wall_clock", wall_clock),
            working_time_seconds=None
            if working_time is None
            else seconds("Limits: working_time", working_time),
            at_limit=at_limit,
        )
    except pydantic.ValidationError as error:
        raise DefinitionError(f"Limits: {in_words(error)}.") from None


def Budget(account: str, *, daily_usd: str | Decimal) -> BudgetSpec:  # noqa: N802  # as Limits
    """What the agent's runs may spend of a shared account in a day (UTC), all runs and retries together.

    `user` stands for the account of the run's user (a run without one has none), `agent` for the agent's own; any
    other name, such as `team/platform`, is shared by all agents that name it. Raises DefinitionError.
    """
    if not account or len(account) > 200 or not account.isprintable() or any(ch.isspace() for ch in account):
        raise DefinitionError(f"Budget account {account!r} must be 1 to 200 characters without spaces.")
    if not isinstance(daily_usd, str | Decimal):
        raise DefinitionError(f"Budget: daily_usd={daily_usd!r} must be a string or Decimal, such as '1.00'.")
    return BudgetSpec(account=account, daily_usd=_amount(daily_usd, "Budget: daily_usd"))


def _prices(given: Any) -> tuple[Decimal, Decimal]:
    if (
        not isinstance(given, tuple)
        or len(given) != 2
        or not all(isinstance(v, str | Decimal) for v in given)
    ):
        raise DefinitionError(
            f"Model: usd_per_million_tokens={given!r} must be two strings, for input and output, such as ('3', '15')."
        )
    name = "Model: usd_per_million_tokens"
    return _amount(given[0], name), _amount(given[1], name)


def _amount(given: str | Decimal, name: str = "Limits: cost_usd") -> Decimal:
    try:
        amount = Decimal(given)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise DefinitionError(f"{name}={given!r} must be an amount above zero, such as '0.50'.")
    return amount


@dataclass(frozen=True, kw_only=True, eq=False)
class Agent(Generic[OutT]):
    """An agent. Its `digest` is its version: the content hash of everything that it is.

    Attributes:
        name: What runs are started by.
        instructions: The system prompt.
        tools: What it can do.
        guards: Vet every writing call, whatever the planner says.
        output: The type of its result; `finish` is sent back until the result fits it. Without one the
            result is text.
        ladder: Planners, best first. When one fails, the next is asked.
        limits: Where a run must stop.
        autonomy: What it may write without asking. The default simulates every write.
        dry_run: Runs simulate their writes unless they are started with `dry_run=False`.
        approvers: Who is asked when a tool names nobody.
        budgets: Shared accounts that its model calls are paid from [$1 for each user and day]; `[]` is none.
        on_failure: `rollback` takes back what a failed run did, as far as it can be, before the run ends.
        compaction: How a transcript that outgrows its planner is summarised.

    Raises:
        DefinitionError: Something about it is unsafe or contradictory; the message holds the fix.
    """

    name: str
    instructions: str
    tools: Sequence[Tool[..., Any]] = ()
    guards: Sequence[Guard] = ()
    output: type[OutT] = str  # type: ignore[assignment]  # the default of OutT
    ladder: Sequence[Model | Rules | Human]
    limits: LimitsSpec = LimitsSpec()
    autonomy: Autonomy = "observe"
    dry_run: bool = False
    approvers: str = "operator"
    budgets: Sequence[BudgetSpec] = AgentSpec.model_fields["budgets"].default
    on_failure: Literal["keep", "rollback"] = "keep"
    compaction: CompactionSpec = CompactionSpec()

    def __post_init__(self) -> None:
        checks = (("tools", listed), ("guards", functions), ("ladder", listed), ("budgets", listed))
        for field, check in checks:
            checked = check(f"Agent {self.name!r}: {field}", getattr(self, field))
            object.__setattr__(self, field, checked)
        _check(self)
        _check_data(self)

    @cached_property
    def adapter(self) -> TypeAdapter[OutT]:
        """Validates the agent's output."""
        return TypeAdapter(self.output)

    @cached_property
    def spec(self) -> AgentSpec:
        """The agent as data: what runs record and live by."""
        try:
            return AgentSpec(
                name=self.name,
                instructions=self.instructions,
                tools=tuple(tool.spec for tool in self.tools),
                guards=tuple(guard_name(guard) for guard in self.guards),
                output_schema=None if self.output is str else self.adapter.json_schema(),
                ladder=tuple(rung.rung() for rung in self.ladder),
                limits=self.limits,
                autonomy=self.autonomy,
                dry_run=self.dry_run,
                approvers=self.approvers,
                budgets=tuple(self.budgets),
                on_failure=self.on_failure,
                compaction=self.compaction,
            )
        except pydantic.ValidationError as error:
            raise DefinitionError(f"Agent {self.name!r}: {in_words(error)}.") from None
        except pydantic.errors.PydanticUserError as error:
            raise DefinitionError(
                f"Agent {self.name!r}: its output has no JSON form. {first_sentence(error)}"
            ) from None

    @cached_property
    def digest(self) -> str:
        """The agent's version."""
        return self.spec.digest

    def but(self, **changes: Any) -> Agent[OutT]:
        """The same agent with some attributes changed: another version. Raises DefinitionError."""
        if unknown := set(changes) - {field.name for field in dataclasses.fields(self)}:
            raise DefinitionError(f"Agent {self.name!r} has no attribute {', '.join(sorted(unknown))}.")
        return dataclasses.replace(self, **changes)

    def tool(self, name: str) -> Tool[..., Any] | None:
        """The tool of that name, or None."""
        return next((tool for tool in self.tools if tool.name == name), None)

    def planner(self, name: str) -> Planner | None:
        """The rule planner of that name, or None."""
        rules = (rung for rung in self.ladder if isinstance(rung, Rules))
        return next((rung.function for rung in rules if planner_name(rung.function) == name), None)

    def __repr__(self) -> str:
        return f"Agent({self.name!r}, {self.digest[:8]})"


def _check(agent: Agent[Any]) -> None:
    name = agent.name
    if not name or len(name) > 64 or not name.isprintable() or any(ch.isspace() for ch in name):
        raise DefinitionError(f"Agent name {name!r} must be 1 to 64 characters without spaces.")
    if not agent.approvers.strip():
        raise DefinitionError(
            f"Agent {name!r}: say in `approvers` who is asked, such as approvers='operator'."
        )
    _check_ladder(name, agent.ladder)
    for budget in agent.budgets:
        if not isinstance(budget, BudgetSpec):
            raise DefinitionError(
                f"Agent {name!r}: {budget!r} is no budget; write Budget('user', daily_usd='1')."
            )
    _check_unique(name, "budgets", [budget.account for budget in agent.budgets])
    for tool in agent.tools:
        if not isinstance(tool, Tool):
            raise DefinitionError(f"Agent {name!r}: {tool!r} is not a tool; put @tool above the function.")
    _check_unique(name, "tools", [tool.name for tool in agent.tools])
    _check_unique(name, "tools (with '.' written as '_')", [t.name.replace(".", "_") for t in agent.tools])
    guards = {g: guard_name(g) for t in agent.tools for g in t.guards} | {
        g: guard_name(g) for g in agent.guards
    }
    _check_unique(name, "guards", list(guards.values()))
    if agent.on_failure == "rollback" and not any(tool.spec.has_undo for tool in agent.tools):
        raise DefinitionError(
            f"Agent {name!r}: on_failure='rollback' takes back what has an undo, and none of its tools has one: "
            "write @tool(effect='reversible', undo=…), or leave on_failure out."
        )
    for tool in agent.tools:
        spec = tool.spec
        unattended = agent.autonomy == "full" and spec.effect == "irreversible"
        if unattended and spec.approval is None and not spec.waiver:
            raise DefinitionError(
                f"Agent {name!r} may call {tool.name!r} with nobody to approve it, and it cannot be undone: "
                "give the tool approval=Approval(…), or waiver='why nobody needs to', "
                "or the agent autonomy='reversible'."
            )


def _check_ladder(name: str, ladder: Sequence[Any]) -> None:
    if not ladder:
        raise DefinitionError(f"Agent {name!r} has no planner: give ladder=[Model(…)] or ladder=[Rules(…)].")
    for rung in ladder:
        if not isinstance(rung, Model | Rules | Human):
            raise DefinitionError(
                f"Agent {name!r}: {rung!r} is no planner: write Model('…'), Rules(function) or Human('role')."
            )
        if isinstance(rung, Human) and not str(rung.by).strip():
            raise DefinitionError(f"Agent {name!r}: a Human needs who is asked, such as Human('operator').")
        if isinstance(rung, Model) and not rung.name.strip():
            raise DefinitionError(f"Agent {name!r}: a Model needs the name of the model.")
    _check_unique(name, "rule planners", [planner_name(r.function) for r in ladder if isinstance(r, Rules)])


def _check_data(agent: Agent[Any]) -> None:
    """Whatever cannot be data is refused now, not in a run."""
    try:
        agent.spec.model_dump_json()
        _ = agent.digest
    except (ValueError, RecursionError) as error:
        raise DefinitionError(f"Agent {agent.name!r} holds something that is no JSON: {error}") from None


def planner_name(function: Any) -> str:
    """The name by which a spec knows a rule planner. Raises DefinitionError."""
    name = getattr(function, "__name__", None)
    if not callable(function) or not isinstance(name, str):
        raise DefinitionError(f"Rules takes a function that plans, and {function!r} is none.")
    return name


def _check_unique(agent: str, what: str, found: list[str]) -> None:
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise DefinitionError(f"Agent {agent!r} has two {what} named {', '.join(twice)}; rename one.")
