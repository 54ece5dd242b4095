"""The planning activity: put the transcript together, ask one rung, hand over what it answered."""

import time
from collections.abc import Awaitable, Callable

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.accounts import Wallet
from activities.archive import archived_items
from activities.asking import asking, claude
from activities.breakers import Breakers
from activities.failing import application_error
from activities.heartbeat import PlanBeat, heartbeating
from activities.registry import AgentRegistry
from activities.results import with_misfits
from activities.rules import plan_by_rules
from activities.run_queries import ask_run
from activities.transcripts import TranscriptCache, TranscriptMismatch
from holdfast.contracts import names
from holdfast.contracts.accounts import ZERO
from holdfast.contracts.calls import Failure
from holdfast.contracts.messages import Message, Page, PageRequest
from holdfast.contracts.plans import PlanInput, PlanOutcome
from holdfast.contracts.spec import AgentSpec, HumanRung, RulesRung
from policies import budgets
from policies.ladder import planner_below

MAX_PLAN_BYTES = 1_500_000
"""A larger answer could not be stored, nor be the result of a run: 2 MB is the server's limit for one value."""

PlanActivity = Callable[[PlanInput], Awaitable[PlanOutcome]]


def plan_activity(registry: AgentRegistry, cache: TranscriptCache, breakers: Breakers) -> PlanActivity:
    """The activity that plans one step."""

    @activity.defn(name=names.PLAN)
    async def plan(asked: PlanInput) -> PlanOutcome:
        started = time.monotonic()
        live = PlanBeat(asked.step)
        async with heartbeating(live.details):
            spec = await spec_of(registry, asked)
            messages = await transcript_of(cache, asked)
            try:
                outcome = await _ask(registry, spec, asked, messages, live, breakers=breakers)
            except ApplicationError as error:
                if not live.lost.model_calls:
                    raise
                raise _telling_what_was_lost(error, live) from error
            outcome = await with_misfits(registry.version(asked.agent, asked.digest), outcome)
            _check_size(outcome)
        if _ends(outcome):
            cache.forget(asked.run)
        else:
            cache.append(asked.run, asked.after, Message(role="assistant", content=outcome.content))
        return outcome.model_copy(update={"seconds": round(time.monotonic() - started, 3), "lost": live.lost})

    return plan


def _ends(outcome: PlanOutcome) -> bool:
    """Whether the run most likely ends with this answer: it hands in a result, or calls nothing."""
    calls = [block.get("name") for block in outcome.content if block.get("type") == "tool_use"]
    return not calls or calls == [names.FINISH]


def _telling_what_was_lost(error: ApplicationError, live: PlanBeat) -> ApplicationError:
    """The error, with what the attempts used so far; the next attempt reads it from the heartbeat, the run from here."""
    activity.heartbeat(live.details())
    return ApplicationError(
        error.message,
        *error.details,
        {"lost": live.lost.model_dump(mode="json")},
        type=error.type,
        non_retryable=error.non_retryable,
        next_retry_delay=error.next_retry_delay,
        category=error.category,
    )


def _check_size(outcome: PlanOutcome) -> None:
    """Raises ApplicationError for an answer that cannot be kept: it would be asked for, and paid, once more."""
    size = len(outcome.model_dump_json().encode())
    if size > MAX_PLAN_BYTES:
        message = f"the answer is {size:,} bytes, and {MAX_PLAN_BYTES:,} is the limit"
        raise application_error(Failure(kind="limit", message=message, error="AnswerTooLarge"), retry=False)


async def spec_of(registry: AgentRegistry, asked: PlanInput) -> AgentSpec:
    """The spec that the run lives by: known here, or asked of the run."""
    known = registry.spec(asked.digest)
    if known is None:
        known = await ask_run(asked.run, names.SPEC, result_type=AgentSpec)
        registry.learn(known)
    return known


async def transcript_of(cache: TranscriptCache, asked: PlanInput) -> list[Message]:
    """What the planner sees, put together. Raises ApplicationError."""

    async def fetch(page: PageRequest) -> Page:
        found: Page = await ask_run(asked.run, names.TRANSCRIPT, page, result_type=Page)
        if found.archived is None:
            return found
        stop = min(page.stop, found.archived.stop)
        laid_aside = await archived_items([found.archived], "messages", page.start, stop)
        return found.model_copy(update={"messages": laid_aside})

    try:
        return await cache.assemble(asked, fetch)
    except TranscriptMismatch as error:
        failure = Failure(kind="fatal", message=str(error), error="TranscriptMismatch")
        raise application_error(failure, retry=True) from error


async def _ask(
    registry: AgentRegistry,
    spec: AgentSpec,
    asked: PlanInput,
    messages: list[Message],
    live: PlanBeat,
    *,
    breakers: Breakers,
) -> PlanOutcome:
    rung = spec.ladder[asked.rung]
    if isinstance(rung, RulesRung):
        return await plan_by_rules(registry, spec, rung, asked, messages)
    if isinstance(rung, HumanRung):  # the workflow asks people itself
        failure = Failure(kind="fatal", message="a person plans by a request", error="HumanRung")
        raise application_error(failure, retry=False)
    await claude()
    from activities.providers.answer_stream import AnswerStream
    from activities.providers.anthropic import plan_with_claude

    stream = AnswerStream()
    live.read = stream.text
    wallet = Wallet(
        run=asked.run,
        accounts=budgets.accounts_of(spec, asked.user),
        bounded=spec.limits.cost_usd is not None,
        beat=live,
        may_cost_usd=asked.may_cost_usd,
        left_usd=None if asked.left_usd is None else max(ZERO, asked.left_usd - live.lost.cost_usd),
    )
    # While its breaker is open, a planner further down plans at once; only where there is none, it is waited for.
    wait = not planner_below(spec, asked.rung)
    async with asking(breakers, rung, wait=wait):
        return await plan_with_claude(
            spec,
            rung,
            messages,
            last_turn=asked.last_turn,
            has_artifacts=asked.has_artifacts,
            max_tokens_factor=asked.max_tokens_factor,
            stream=stream,
            wallet=wallet,
        )
