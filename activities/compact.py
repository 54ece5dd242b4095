"""The compaction activity: put the transcript together, and ask a cheap model for a summary of its oldest part."""

import time
from collections.abc import Awaitable, Callable

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.accounts import Wallet
from activities.asking import asking, claude
from activities.breakers import Breakers
from activities.heartbeat import PlanBeat, heartbeating
from activities.plan import spec_of, transcript_of
from activities.registry import AgentRegistry
from activities.transcripts import TranscriptCache
from holdfast.contracts import names
from holdfast.contracts.calls import Failure
from holdfast.contracts.summaries import CompactInput, CompactOutcome
from policies import budgets, context
from policies.json_safety import safe_text, shorten

CompactActivity = Callable[[CompactInput], Awaitable[CompactOutcome]]


def compact_activity(registry: AgentRegistry, cache: TranscriptCache, breakers: Breakers) -> CompactActivity:
    """The activity that summarises. Where no model does, it answers with the messages, less the bodies of results."""

    @activity.defn(name=names.COMPACT)
    async def compact(asked: CompactInput) -> CompactOutcome:
        started = time.monotonic()
        beat = PlanBeat(asked.step)
        async with heartbeating(beat.details):
            spec = await spec_of(registry, asked)
            seen = await transcript_of(cache, asked)
            stop = asked.stop - (asked.seen.start - 1 if asked.seen is not None else 0)
            wallet = Wallet(
                run=asked.run,
                accounts=budgets.accounts_of(spec, asked.user),
                bounded=spec.limits.cost_usd is not None,
                beat=beat,
                may_cost_usd=asked.may_cost_usd,
                left_usd=asked.left_usd,
            )
            try:
                outcome = await _summarised(
                    asked, context.material(seen, stop, asked.summariser), wallet, breakers
                )
            except ApplicationError as error:
                last = error.non_retryable or activity.info().attempt >= asked.summariser.retry.attempts
                if not last or not error.details:
                    raise
                outcome = CompactOutcome(summary="", by="", failure=Failure.model_validate(error.details[0]))
            if outcome.failure is not None:
                told = context.bare(seen, stop, outcome.failure.message)
                outcome = outcome.model_copy(update={"summary": safe_text(told), "by": context.BY_MESSAGES})
        return outcome.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    return compact


async def _summarised(asked: CompactInput, told: str, wallet: Wallet, breakers: Breakers) -> CompactOutcome:
    """What a model makes of it. Raises ApplicationError as the model failed."""
    await claude()
    from activities.providers.anthropic import summarise_with_claude

    # A run does not wait for a breaker to close only to be summarised.
    async with asking(breakers, asked.summariser, wait=False):
        text, stop_reason, model, usage = await summarise_with_claude(
            asked.summariser, context.INSTRUCTIONS, told, wallet
        )
    failure = None
    if why := context.no_summary(text, stop_reason):
        failure = Failure(kind="contract", message=f"{model} {why}", error="NoSummary")
    summary = shorten(safe_text(text), context.MAX_SUMMARY_CHARS)
    return CompactOutcome(summary=summary, by=model, usage=usage, failure=failure)
