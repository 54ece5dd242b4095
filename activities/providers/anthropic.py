"""Claude, through the official SDK: one streamed request to the Messages API.

The SDK's retries are off: Temporal retries, so that each attempt is seen, bounded and survives the worker.
`ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL` are read by the SDK itself.
"""

import functools
import json
from decimal import Decimal
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncAnthropic
from anthropic._streaming import AsyncStream
from temporalio.exceptions import ApplicationError

from activities.accounts import Money, Wallet, over_limit
from activities.failing import application_error
from activities.providers.answer_stream import AnswerStream, BrokenStream, StreamError
from activities.providers.anthropic_client import issuer_is_down, with_fresh_credentials
from activities.providers.pricing import affordable_tokens, usage_of, worst_case
from holdfast.contracts.accounts import ZERO
from holdfast.contracts.base import JsonObject
from holdfast.contracts.calls import Failure
from holdfast.contracts.messages import Message, text_of, user_text
from holdfast.contracts.plans import PlanOutcome, Usage
from holdfast.contracts.spec import AgentSpec, ModelRung
from policies.failures import provider_failure
from policies.finishing import built_in_tools
from policies.handoff import api_name, contain

PROVIDER = "anthropic"
CACHE = {"type": "ephemeral"}

LEAST_TOKENS = 1_024
"""An answer that may not be this long is not asked for: the run then hands back what it has."""

LEAST_TOKENS_LAST = 256
"""The same for the turn in which it does."""


async def plan_with_claude(
    spec: AgentSpec,
    rung: ModelRung,
    messages: list[Message],
    *,
    last_turn: bool,
    has_artifacts: bool,
    max_tokens_factor: int,
    stream: AnswerStream,
    wallet: Wallet,
) -> PlanOutcome:
    """Ask for the next plan, and pay for it. The answer grows in `stream`, where others may watch it.

    Raises ApplicationError: its detail is the Failure, and whether to retry and after how long is set.
    """
    built_in = built_in_tools(spec, last_turn=last_turn, has_artifacts=has_artifacts)
    offered = [] if last_turn else [_tool(one.name, one.description, one.input_schema) for one in spec.tools]
    request = _request(spec, rung, messages, [*offered, *built_in], max_tokens_factor=max_tokens_factor)
    model, usage, request_id = await _paid(rung, request, stream, wallet, last_turn=last_turn)
    content, defects = contain(stream.content(), spec.max_argument_bytes)
    return PlanOutcome(
        content=content,
        stop_reason=str(stream.stop_reason),
        planner=model,
        kind="model",
        usage=usage,
        defects=defects,
        request_id=request_id,
    )


async def summarise_with_claude(
    rung: ModelRung, instructions: str, told: str, wallet: Wallet
) -> tuple[str, str, str, Usage]:
    """A text about a text: what was answered, why it ended, which model it was, and what it cost.

    Raises ApplicationError.
    """
    request = {
        "model": rung.model,
        "max_tokens": rung.max_tokens,
        "system": instructions,
        "messages": [user_text(told).model_dump(mode="json")],
        "stream": True,
    }
    stream = AnswerStream()
    model, usage, _ = await _paid(rung, request, stream, wallet)
    return text_of(stream.content()), str(stream.stop_reason), model, usage


async def _paid(
    rung: ModelRung, request: dict[str, Any], stream: AnswerStream, wallet: Wallet, *, last_turn: bool = False
) -> tuple[str, Usage, str | None]:
    """Reserve, ask, settle: which model answered, what it cost, and the request's id. Raises ApplicationError."""
    size = len(json.dumps(request, ensure_ascii=False).encode("utf-8", "replace"))
    if wallet.left_usd is not None:
        _shorten_answer(request, rung, size, wallet.left_usd, last_turn=last_turn)
    worst = worst_case(
        PROVIDER,
        rung.model,
        request_bytes=size,
        max_tokens=request["max_tokens"],
        prices=rung.usd_per_million_tokens,
    )
    async with wallet.spending(worst, model=rung.model, lease_seconds=rung.timeout_seconds) as money:
        money.max_tokens = request["max_tokens"]
        money.sent = True
        request_id = await _asked(rung, request, stream, money)
        if not stream.complete:
            _pay_for_part(stream, rung, money)
            raise _failed(None, "broken_answer", "the answer ended in the middle (no message_stop)", {})
        model = str(stream.message.get("model") or rung.model)
        usage = usage_of(PROVIDER, model, stream.usage, rung.usd_per_million_tokens)
        money.cost = usage.cost_usd if not usage.unpriced else None
        return model, usage, request_id


def _shorten_answer(
    request: dict[str, Any], rung: ModelRung, size: int, left: Decimal, *, last_turn: bool
) -> None:
    """Ask for no longer an answer than the run's limit of money can pay for.

    Raises ApplicationError of kind limit where that would be too short to be of use.
    """
    longest = request["max_tokens"]
    thinking = (rung.thinking or {}).get("budget_tokens") or 0
    least = min(longest, thinking + (LEAST_TOKENS_LAST if last_turn else LEAST_TOKENS))
    allowed = affordable_tokens(
        PROVIDER,
        rung.model,
        request_bytes=size,
        max_tokens=longest,
        usd=left,
        prices=rung.usd_per_million_tokens,
    )
    if allowed >= least:
        request["max_tokens"] = allowed
        return
    needs = worst_case(
        PROVIDER, rung.model, request_bytes=size, max_tokens=least, prices=rung.usd_per_million_tokens
    )
    raise over_limit(rung.model, needs or ZERO, left)


async def _asked(rung: ModelRung, request: dict[str, Any], stream: AnswerStream, money: Money) -> str | None:
    """Let the answer grow in `stream` until it ends; the request's id. Raises ApplicationError."""
    try:
        return await with_fresh_credentials(functools.partial(_sent, rung, request, stream))
    except StreamError as error:
        _pay_for_part(stream, rung, money)
        raise _failed(None, error.error_type, str(error), {}) from error
    except anthropic.APIStatusError as error:
        money.cost = ZERO  # refused before it began
        raise _failed(
            error.status_code, _error_type(error), _message(error), dict(error.response.headers)
        ) from error
    except anthropic.APIConnectionError as error:
        if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
            money.cost = ZERO  # nobody was reached
        raise _failed(None, "connection_error", _chain(error), {}) from error
    except anthropic.AnthropicError as error:  # no key, no profile, no token: nothing was sent that costs
        money.cost = ZERO
        if issuer_is_down(error):
            raise _failed(None, "connection_error", _chain(error), {}) from error
        failure = Failure(kind="credentials", message=str(error), error=type(error).__name__)
        raise application_error(failure, retry=False) from error
    except (BrokenStream, httpx2.HTTPError, KeyError, TypeError) as error:
        _pay_for_part(stream, rung, money)
        raise _failed(None, "broken_answer", f"the answer is broken: {_chain(error)}", {}) from error


async def _sent(
    rung: ModelRung, request: dict[str, Any], stream: AnswerStream, client: AsyncAnthropic
) -> str | None:
    """Send it, and read the answer into `stream`; the request's id."""
    async with client.messages.with_streaming_response.create(
        **request, timeout=rung.timeout_seconds
    ) as response:
        if "text/event-stream" in response.headers.get("content-type", ""):
            async for event in AsyncStream.raw_events(response.http_response):
                if event.data:
                    stream.feed(_decode(event.data))
        else:
            stream.whole(_whole_answer(await response.text()))
        request_id: str | None = response.headers.get("request-id")
        return request_id


def _pay_for_part(stream: AnswerStream, rung: ModelRung, money: Money) -> None:
    """An answer that broke off costs what it said; of its length it says nothing before its end."""
    if not stream.message:
        return
    ended = stream.stop_reason is not None
    said = stream.usage if ended else {**stream.usage, "output_tokens": money.max_tokens}
    model = str(stream.message.get("model") or rung.model)
    usage = usage_of(PROVIDER, model, said, rung.usd_per_million_tokens)
    if not usage.unpriced:
        money.cost, money.presumed = usage.cost_usd, not ended
    money.beat.lost += usage


def _request(
    spec: AgentSpec,
    rung: ModelRung,
    messages: list[Message],
    tools: list[JsonObject],
    *,
    max_tokens_factor: int,
) -> dict[str, Any]:
    """The request's body. Tools, system and everything said before are marked for the prompt cache."""
    request: dict[str, Any] = {
        "model": rung.model,
        "max_tokens": rung.max_tokens * max_tokens_factor,
        "system": [{"type": "text", "text": spec.instructions, "cache_control": CACHE}],
        "tools": tools,
        "messages": _cached([message.model_dump(mode="json") for message in messages]),
        "stream": True,
    }
    if not spec.instructions.strip():
        del request["system"]
    if rung.thinking is not None:
        request["thinking"] = rung.thinking
    return request


def _tool(name: str, description: str, schema: JsonObject) -> JsonObject:
    return {"name": api_name(name), "description": description, "input_schema": schema}


def _cached(messages: list[JsonObject]) -> list[JsonObject]:
    """The messages with a cache mark on the last block of the last two of the user's."""
    users = [at for at, message in enumerate(messages) if message["role"] == "user"][-2:]
    for at in users:
        *rest, last = messages[at]["content"]
        messages[at] = {**messages[at], "content": [*rest, {**last, "cache_control": CACHE}]}
    return messages


def _decode(data: str) -> JsonObject:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise BrokenStream(f"an event is no JSON: {error}") from None
    if not isinstance(event, dict):
        raise BrokenStream("an event is no JSON object")
    return event


def _whole_answer(body: str) -> JsonObject:
    """An answer that is no stream: a message in one piece, or not an answer at all."""
    try:
        message = json.loads(body)
    except ValueError:
        raise BrokenStream(f"it is neither a stream nor JSON: {body[:200]!r}") from None
    if not isinstance(message, dict) or message.get("type") != "message":
        raise BrokenStream(f"it is no message: {body[:200]!r}")
    return message


def _failed(
    status: int | None, error_type: str | None, message: str, headers: dict[str, str]
) -> ApplicationError:
    found = provider_failure(status=status, error_type=error_type, message=message, headers=headers)
    return application_error(found.failure, retry=found.retry, retry_after=found.retry_after)


def _error_type(error: anthropic.APIStatusError) -> str | None:
    return _documented(error, "type") or type(error).__name__


def _message(error: anthropic.APIStatusError) -> str:
    """`529: Overloaded`; of a body that the API does not document, all of it. Then what was noted beside it."""
    said = _documented(error, "message")
    message = f"{error.status_code}: {said}" if said else error.message
    notes: list[str] = getattr(error, "__notes__", [])
    return ". ".join([message.rstrip("."), *notes]) if notes else message


def _documented(error: anthropic.APIStatusError, field: str) -> str | None:
    """A text of the body's `error`, if the body is what the API documents."""
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    found = inner.get(field) if isinstance(inner, dict) else None
    return found if isinstance(found, str) and found else None


def _chain(error: BaseException) -> str:
    """The error and what caused it: `Connection error.` alone tells an operator nothing."""
    cause = error.__cause__
    return (
        f"{error} ({type(cause).__name__}: {cause})"
        if cause is not None
        else str(error) or type(error).__name__
    )
