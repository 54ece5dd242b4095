"""Carrying out calls. One activity serves every tool: the activity's type is the tool's name.

Whatever a tool does or returns, the activity ends in one of two ways: with a JSON value that every converter
takes, or with an error that says whose it is. Both are made before the activity returns, so that an effect
is never repeated because its answer could not be stored.
"""

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pydantic
from temporalio import activity
from temporalio.common import RawValue

from activities.artifacts import fitted
from activities.breakers import Breakers
from activities.calling import call
from activities.failing import application_error
from activities.heartbeat import heartbeating
from activities.lease import Leased, LeaseLost, confirm_still_ours
from activities.refreshing import Refreshes, Work
from activities.registry import AgentRegistry
from activities.transcripts import TranscriptCache
from holdfast.context import PastCall, ToolContext
from holdfast.contracts.artifacts import uncut
from holdfast.contracts.base import Json
from holdfast.contracts.calls import Failure, Probed, ToolInput
from holdfast.contracts.names import PROBE_SUFFIX, UNDO_SUFFIX
from holdfast.errors import Correctable, Fatal, Transient
from holdfast.signatures import context_parameter
from holdfast.tools import Tool
from policies.effects import would_do
from policies.failures import RETRIED, RETRY_AFTER_CAP_SECONDS, tool_failure_kind
from policies.feedback import cut, render
from policies.json_safety import safe, safe_text, shorten
from policies.validation import problems

ToolActivity = Callable[[Sequence[RawValue]], Awaitable[Json]]


class BrokenContract(Exception):  # named for what is wrong
    """A tool returned something else than it promises."""


def tool_activity(registry: AgentRegistry, cache: TranscriptCache, breakers: Breakers) -> ToolActivity:
    """The activity behind every tool name, its undo and its probe."""
    refreshes = Refreshes()

    @activity.defn(dynamic=True)
    async def tool(raw: Sequence[RawValue]) -> Json:
        asked = _read(raw)
        found = _find(registry, asked)
        kind = activity.info().activity_type
        # An undo and a probe may be repeated whatever their tool is.
        wait = found.spec.repeatable or kind != found.name
        called = () if asked.dry_run and found.dry_run is None else found.spec.depends_on
        async with heartbeating() as lease, breakers.guarding(called, wait=wait):

            async def guarded(work: Work) -> Json:
                return await _guarded(Leased(lease, work()))

            carries_out = functools.partial(
                refreshes.carry_out, refresh=found.refresh, context=_context(asked), guarded=guarded
            )
            if kind.endswith(PROBE_SUFFIX):
                return await carries_out(lambda: _probe(found, asked))
            if kind.endswith(UNDO_SUFFIX):
                return await carries_out(lambda: _undo(found, asked))
            once = not (found.spec.repeatable or asked.dry_run)
            if once:
                await confirm_still_ours()
            before_again = confirm_still_ours if once else None
            result = await carries_out(lambda: _run(found, asked), before_again=before_again)
        cache.remember_result(asked.run, asked.call, render(uncut(result)[0]))
        return result

    return tool


def _read(raw: Sequence[RawValue]) -> ToolInput:
    kind = activity.info().activity_type
    try:
        return activity.payload_converter().from_payload(raw[0].payload, ToolInput)
    except Exception as error:  # noqa: BLE001  # whatever came, it was not for a tool
        message = f"activity {kind} takes one ToolInput: {error}"
        failure = Failure(kind="fatal", message=message, error=type(error).__name__)
        raise application_error(failure, retry=False, started=False) from None


def _find(registry: AgentRegistry, asked: ToolInput) -> Tool[..., Any]:
    """The tool's code. During a deployment this worker may lack what another has, so it is tried again."""
    found = registry.tool(asked.agent, asked.tool)
    if found is None or found.function is None:
        message = f"this worker has no code for tool {asked.tool!r} of agent {asked.agent!r}"
        failure = Failure(kind="transient", message=message, error="ToolNotServed")
        raise application_error(failure, retry=True, started=False)
    return found


async def _guarded(work: Awaitable[Json]) -> Json:
    """Do it, and turn whatever it raises into an error with an owner."""
    try:
        return await work
    except Exception as error:
        failure = classify(error)
        wanted = error.retry_after if isinstance(error, Transient) else None
        wait = min(wanted, RETRY_AFTER_CAP_SECONDS) if wanted is not None else None
        raise application_error(failure, retry=failure.kind in RETRIED, retry_after=wait) from error


def classify(error: Exception) -> Failure:
    """Whose error it is; what nobody has classified is `unclassified`."""
    kind = tool_failure_kind(error)
    if isinstance(error, BrokenContract | LeaseLost):  # the engine's own words
        kind = "contract" if isinstance(error, BrokenContract) else "transient"
    message = shorten(safe_text(str(error)), 4000) or type(error).__name__
    return Failure(kind=kind, message=message, error=type(error).__name__)


def _context(asked: ToolInput) -> ToolContext:
    return ToolContext(
        run=asked.run,
        call=asked.call,
        agent=asked.agent,
        idempotency_key=asked.idempotency_key,
        attempt=activity.info().attempt,
        dry_run=asked.dry_run,
        user=asked.user,
    )


async def _run(tool: Tool[..., Any], asked: ToolInput) -> Json:
    function = tool.function
    if asked.dry_run:
        function = tool.dry_run
        if function is None:
            return safe(would_do(tool.name, asked.arguments))
    assert function is not None  # noqa: S101  # _find made sure
    context = _context(asked)
    if tool.arguments is None:
        result = await call(function, context, asked.arguments)
    else:
        try:
            parsed = tool.arguments.model_validate(asked.arguments)
        except pydantic.ValidationError as error:  # stricter than its schema, such as by a validator
            raise Correctable(f"invalid arguments: {_first_lines(error)}") from None
        given = {name: getattr(parsed, name) for name in type(parsed).model_fields}
        name = context_parameter(function)
        result = await call(function, **({name: context} if name else {}), **given)
    checked = result if asked.dry_run else _checked(tool, result)
    return await fitted(checked, tool.spec.max_result_chars, asked.call)


def _checked(tool: Tool[..., Any], result: Any) -> Any:
    """The result as JSON, if it is what the tool promises. Raises BrokenContract."""
    if tool.returns is not None:
        try:
            return tool.returns.dump_python(tool.returns.validate_python(result), mode="json")
        except pydantic.ValidationError as error:
            raise BrokenContract(_first_lines(error)) from None
        except Exception:  # noqa: BLE001  # not JSON-able as declared (bytes, NaN, cycles): made safe below
            return result
    if tool.spec.output_schema is not None and (found := problems(tool.spec.output_schema, safe(result))):
        raise BrokenContract("; ".join(found))
    return result


def _first_lines(error: pydantic.ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in found[:5])


async def _probe(tool: Tool[..., Any], asked: ToolInput) -> Json:
    if tool.probe is None:
        raise Fatal(f"tool {tool.name!r} has no probe any more")
    found = await call(tool.probe, _context(asked), PastCall(asked.arguments))
    if not isinstance(found, Probed):
        raise BrokenContract(f"the probe returned {found!r}; it must return Probed")
    return found.model_copy(
        update={"result": cut(safe(found.result), tool.spec.max_result_chars)}
    ).model_dump(mode="json")


async def _undo(tool: Tool[..., Any], asked: ToolInput) -> Json:
    if tool.undo is None:
        raise Fatal(f"tool {tool.name!r} has no undo any more")
    result = await call(tool.undo, _context(asked), PastCall(asked.arguments, asked.result))
    return cut(safe(result), tool.spec.max_result_chars)
