"""The planning activity: what it is asked, and what it answers."""

from decimal import Decimal
from typing import Literal

from holdfast.contracts.base import Contract, JsonObject
from holdfast.contracts.messages import Message


class Usage(Contract):
    """Tokens and money of one or more model calls.

    `input_tokens` are the ones neither read from nor written to the prompt cache, as the provider counts.
    `cost_usd` is the sum of the priced calls; `unpriced` counts those whose model has no known price.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    model_calls: int = 0
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        """All tokens, in and out, cached or not."""
        return self.context_tokens + self.output_tokens

    @property
    def context_tokens(self) -> int:
        """Tokens of the prompt, however they were paid for."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            model_calls=self.model_calls + other.model_calls,
            unpriced=self.unpriced + other.unpriced,
        )


class Seen(Contract):
    """What planners are shown of a compacted transcript: an opening, then the messages from `start` on."""

    start: int
    """Place in the whole transcript of the first message behind the opening."""
    base: str
    """The digest of the whole transcript before `start`."""
    opening: str
    """The digest of the opening, which is asked for by query."""


class PlanInput(Contract):
    """Asks one rung for the next plan.

    The transcript itself is not here: `position` and `before` (its length and chain digest) name what the
    worker must already know or ask the workflow for; `new` holds only what was said since, with large tool
    results replaced by references; `after` is the digest when all is in place.
    """

    run: str
    agent: str
    digest: str
    step: int
    rung: int
    position: int
    before: str
    new: list[Message]
    after: str
    last_turn: bool = False
    """No tools but `finish` are offered: the agent is to hand back what it has."""
    max_tokens_factor: int = 1
    """Multiplies the rung's output limit after an answer was cut off by it."""
    user: str | None = None
    """On whose budget."""
    may_cost_usd: Decimal | None = None
    """A human must be asked before it costs more."""
    seen: Seen | None = None
    """What of the transcript is meant, if not the whole."""
    left_usd: Decimal | None = None
    """What the run's own limit of money leaves; None where it has none. No request is made that may cost more."""
    has_artifacts: bool = False
    """The run has artifacts, so `read_artifact` is offered."""


class Defect(Contract):
    """A call in a plan that must not run, found before it became part of the transcript.

    `block` is the index of the tool_use block in the plan's content.
    """

    block: int
    message: str


class PlanOutcome(Contract):
    """What a planner answered: legal content to keep, and what was wrong with it."""

    content: list[JsonObject]
    stop_reason: str
    planner: str
    """The model that answered, the name of the rules, or the person."""
    kind: Literal["model", "rules", "human"]
    usage: Usage = Usage()
    defects: list[Defect] = []
    lost: Usage = Usage()
    """What attempts used that failed before this one."""
    request_id: str | None = None
    seconds: float = 0.0
