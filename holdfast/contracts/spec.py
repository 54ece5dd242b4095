"""The agent as data: what a run resolves once, records, and lives by.

A spec holds no code. Guards, rule planners, undo, probe and dry-run functions are named here and live in
the worker. Fields may be added with a default, never renamed or removed: the digest leaves out fields that
have their default, so it does not move when a release adds one.
"""

from decimal import Decimal
from typing import Annotated, Literal, NoReturn

from pydantic import Field, PositiveFloat, PositiveInt

from holdfast.contracts.base import Contract, Json, JsonObject
from holdfast.contracts.compacting import CompactionSpec
from holdfast.contracts.digests import digest
from holdfast.errors import DefinitionError

Effect = Literal["read", "reversible", "irreversible"]
"""What a call does to the world: nothing; something that `undo` takes back; something for good."""

Autonomy = Literal["observe", "reversible", "supervised", "full"]
"""What an agent may write without asking: nothing, and writes are simulated (`observe`); what can be
undone (`reversible`); nothing, each write is asked about (`supervised`); what its tools do not ask about
(`full`)."""

Operator = Literal[">", ">=", "<", "<=", "==", "!=", "in"]


class _Combinable(Contract):
    """Lets conditions be joined with `&` and `|`, and with nothing else."""

    def __bool__(self) -> NoReturn:
        """Refused: `a and b`, or `1 < arg("n") < 9`, would silently keep one half of the condition."""
        raise DefinitionError(
            "A condition has no truth value of its own: join conditions with & and |, each in parentheses, "
            "such as (arg('n') > 1) & (arg('n') < 9)."
        )

    def __and__(self, other: "Condition") -> "AllOf":
        return AllOf(kind="all", conditions=(self, other))  # type: ignore[arg-type]  # self is a Condition

    def __or__(self, other: "Condition") -> "AnyOf":
        return AnyOf(kind="any", conditions=(self, other))  # type: ignore[arg-type]  # self is a Condition


class Compare(_Combinable):
    """`argument <op> value`; true when the argument is missing or cannot be compared (the safe answer)."""

    kind: Literal["compare"]
    argument: str
    op: Operator
    value: Json


class AllOf(_Combinable):
    """True when every condition is."""

    kind: Literal["all"]
    conditions: tuple["Condition", ...]


class AnyOf(_Combinable):
    """True when one condition is."""

    kind: Literal["any"]
    conditions: tuple["Condition", ...]


Condition = Annotated[Compare | AllOf | AnyOf, Field(discriminator="kind")]


class ApprovalSpec(Contract):
    """Who is asked before a call, when, and for how long."""

    by: str = "operator"
    when: Condition | None = None
    """Ask only when this holds of the arguments; None asks always."""
    expires_in_seconds: PositiveFloat | None = None
    """Unanswered this long, the request is denied; None waits for ever."""
    remind_after_seconds: PositiveFloat | None = None
    """Unanswered this long, people are reminded, once; None: they are not."""
    escalate_after_seconds: PositiveFloat | None = None
    """Unanswered this long, `escalate_to` is asked too; None: nobody else is."""
    escalate_to: str = ""


class RetrySpec(Contract):
    """How often an activity is tried. The defaults are the field's: 5 tries, 1 s doubling to 30 s."""

    attempts: PositiveInt = 5
    initial_seconds: PositiveFloat = 1.0
    coefficient: PositiveFloat = 2.0
    maximum_seconds: PositiveFloat = 30.0


class ToolSpec(Contract):
    """One tool, as the model and the engine see it."""

    name: str
    description: str = ""
    input_schema: JsonObject
    output_schema: JsonObject | None = None
    effect: Effect = "irreversible"
    idempotent: bool = False
    timeout_seconds: PositiveFloat = 30.0
    """One attempt takes no longer than this."""
    heartbeat_seconds: PositiveFloat | None = 10.0
    """A worker that is silent this long is taken for dead. None: only the timeout notices."""
    retry: RetrySpec = RetrySpec()
    approval: ApprovalSpec | None = None
    waiver: str | None = None
    """Why this write needs nobody's approval, in the author's words."""
    key: str | None = None
    """Template of the idempotency key, such as `refund/{order_id}`; None uses run and call."""
    guards: tuple[str, ...] = ()
    """Guards of this tool alone, beside those of the agent."""
    exclusive: bool = False
    """No other call of the same step runs beside it."""
    polls: bool = False
    """A read that is meant to be asked again, such as for the state of a deployment: never answered from memory."""
    task_queue: str | None = None
    """The queue of a remote tool; None is the run's own."""
    queue_seconds: PositiveFloat = 600.0
    """How long a remote tool's call may wait for a worker of its queue."""
    has_undo: bool = False
    has_probe: bool = False
    has_dry_run: bool = False
    depends_on: tuple[str, ...] = ()
    """Names of the services that a call needs; each has a circuit breaker."""
    max_result_chars: PositiveInt = 16_000
    """A longer result is cut to its head and tail (16,000 characters are about 4,000 tokens)."""

    @property
    def writes(self) -> bool:
        """Whether a call of it may change the world."""
        return self.effect != "read"

    @property
    def repeatable(self) -> bool:
        """Whether a second execution of the same call is harmless."""
        return not self.writes or self.idempotent


class ModelRung(Contract):
    """A planner that is a model behind the Messages API."""

    kind: Literal["model"]
    model: str
    max_tokens: PositiveInt = 8_192
    """Output tokens of one answer."""
    thinking: JsonObject | None = None
    """Passed to the API unchanged, such as `{"type": "enabled", "budget_tokens": 4096}`."""
    timeout_seconds: PositiveFloat = 600.0
    context_window: PositiveInt = 200_000
    """How many tokens the model takes, its answer included."""
    heartbeat_seconds: PositiveFloat = 15.0
    """The stream may be silent this long; so may a dead worker, before it is noticed."""
    retry: RetrySpec = RetrySpec()
    usd_per_million_tokens: tuple[Decimal, Decimal] | None = None
    """Input and output, where the author knows better than the list of prices, or the model is in none."""


class RulesRung(Contract):
    """A planner that is a Python function of the worker."""

    kind: Literal["rules"]
    function: str
    timeout_seconds: PositiveFloat = 30.0
    heartbeat_seconds: PositiveFloat = 10.0
    retry: RetrySpec = RetrySpec()


class HumanRung(Contract):
    """A planner that is a person, who is asked when no other can plan."""

    kind: Literal["human"]
    by: str
    """Who is asked: a role or team, in the author's words."""
    expires_in_seconds: PositiveFloat | None = None
    """Unanswered this long, the rung has failed; None waits for ever."""


Rung = Annotated[ModelRung | RulesRung | HumanRung, Field(discriminator="kind")]


class BudgetSpec(Contract):
    """What an agent's runs may spend of an account in a day (UTC), together with all others who share it.

    `user` is the account of the run's user, `agent` that of the agent; any other name is an account of that name.
    """

    account: str
    daily_usd: Decimal


class LimitsSpec(Contract):
    """Where a run must stop. At a limit the agent gets one last turn without tools, to hand back what it has."""

    steps: PositiveInt = 20
    calls: PositiveInt = 50
    tokens: PositiveInt | None = None
    cost_usd: Decimal | None = None
    wall_clock_seconds: PositiveFloat | None = None
    working_time_seconds: PositiveFloat | None = None
    """As `wall_clock_seconds`, without the time in which the run waits for people or is paused or parked."""
    at_limit: Literal["finish", "ask"] = "finish"
    """After the last turn: end as `partial`, or ask the approvers for more and wait."""
    ask_above_usd: Decimal | None = None
    """A human is asked before a plan that may cost more."""


class AgentSpec(Contract):
    """An agent, frozen. Its `digest` is its version."""

    name: str
    instructions: str
    tools: tuple[ToolSpec, ...] = ()
    guards: tuple[str, ...] = ()
    """Guards that vet every writing call."""
    output_schema: JsonObject | None = None
    ladder: tuple[Rung, ...]
    limits: LimitsSpec = LimitsSpec()
    autonomy: Autonomy = "observe"
    dry_run: bool = False
    """Runs simulate their writes unless they are started with `dry_run: false`."""
    approvers: str = "operator"
    """Who is asked about writes whose tool names nobody, and about everything else."""
    max_argument_bytes: PositiveInt = 64 * 1024
    compaction: CompactionSpec = CompactionSpec()
    rejections: PositiveInt = 3
    """This many rejections in a row end the agent's attempt."""
    budgets: tuple[BudgetSpec, ...] = (BudgetSpec(account="user", daily_usd=Decimal("1.00")),)
    on_failure: Literal["keep", "rollback"] = "keep"
    """What becomes of a failed run's effects: they stand, or those that can be are taken back, last first."""

    @property
    def digest(self) -> str:
        """The content hash of everything that differs from the defaults."""
        return digest(self.model_dump(mode="json", exclude_defaults=True))

    def tool(self, name: str) -> ToolSpec | None:
        """The tool of that name, or None."""
        return next((tool for tool in self.tools if tool.name == name), None)
