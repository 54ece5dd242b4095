"""Steering: a run hears messages, pauses, resumes, and is cancelled without leaving anything half said.

The handlers only note what came, in the run's state; the loop looks at it before each plan and each call. Nothing
here asks a worker: a paused run is a condition inside the workflow.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ActivityHandle

from holdfast.contracts import names
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.limits import RaiseInput
from holdfast.contracts.messages import Message
from holdfast.contracts.spec import ToolSpec
from holdfast.contracts.steering import Cancellation, MessageInput, Pause, PersonMessage, SteerInput
from policies import steering
from policies.json_safety import brief
from workflows import limit_watch
from workflows.any_payloads import NOTHING
from workflows.run_state import RunState

Signal = Literal["message", "pause", "resume", "raise_limits"]

RAISE_EXAMPLE = '{"steps": "+20", "by": "your-name"}'

T = TypeVar("T")


class Steering:
    """Takes the signals. What comes before the run knows its agent is kept until it does."""

    def __init__(self) -> None:
        self._early: list[tuple[Signal, RawValue]] = []
        self._state: RunState | None = None

    def begin(self, state: RunState) -> None:
        """The run has a state: note what has come so far in it, and from now on everything at once."""
        self._state = state
        early, self._early = self._early, []
        for signal, raw in early:
            self.take(signal, raw)

    def take(self, signal: Signal, raw: RawValue) -> None:
        """Note a signal, whatever it holds: what cannot be read or used is recorded, and changes nothing."""
        state = self._state
        if state is None:
            self._early.append((signal, raw))
            return
        try:
            if signal == names.RAISE_LIMITS:
                limit_watch.raise_limits(state, _read(raw, RaiseInput, RAISE_EXAMPLE), "signal")
            elif signal == names.MESSAGE:
                _hear(state, _read(raw, MessageInput, '{"text": "…", "by": "your-name"}'))
            else:
                given = _read(raw, SteerInput, '{"by": "your-name", "reason": "…"}')
                (_pause if signal == names.PAUSE else _resume)(state, given)
        except ValueError as error:
            state.ignore(signal, str(error))


def check_raise(state: RunState, raw: RawValue) -> RaiseInput:
    """What an update that raises limits holds. Raises ApplicationError of type DecisionRefused for what does not fit."""
    try:
        given = _read(raw, RaiseInput, RAISE_EXAMPLE)
        limit_watch.check_raise(state, given)
        return given
    except ValueError as error:
        raise ApplicationError(str(error), type="DecisionRefused", non_retryable=True) from None


def _hear(state: RunState, given: MessageInput) -> None:
    if why := steering.misfit(given, state.loop.messages):
        raise ValueError(why)
    message = PersonMessage(text=given.text, by=given.by, at=state.now())
    state.loop.messages.append(message)
    state.event("message", f"{given.by}: {given.text}", {"by": given.by})
    state.show()


def _pause(state: RunState, given: SteerInput) -> None:
    if why := steering.misfit(given):
        raise ValueError(why)
    if state.loop.paused is not None:
        raise ValueError(f"it is paused already, by {state.loop.paused.by}")
    pause = state.loop.paused = Pause(by=given.by, reason=given.reason, at=state.now())
    state.event("paused", _by(given), pause.model_dump(mode="json"))
    state.show()


def _resume(state: RunState, given: SteerInput) -> None:
    if why := steering.misfit(given):
        raise ValueError(why)
    if state.loop.paused is None:
        raise ValueError("it is not paused")
    state.loop.paused = None
    state.event("resumed", _by(given), given.model_dump(mode="json"))
    state.show()


def _by(given: SteerInput) -> str:
    return f"by {given.by}" + (f": {given.reason}" if given.reason else "")


InputT = TypeVar("InputT", MessageInput, SteerInput, RaiseInput)


def _read(raw: RawValue, model: type[InputT], example: str) -> InputT:
    """What a signal holds. Raises ValueError with what is right."""
    try:
        if raw is NOTHING:
            raise ValueError(f"it holds nothing; send {example}")  # noqa: TRY301  # one message for all that is wrong
        value = workflow.payload_converter().from_payload(raw.payload, Any)
        if not isinstance(value, dict):
            raise ValueError(f"it must be an object; send {example}")  # noqa: TRY301, TRY004  # as above
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = brief(".".join(str(part) for part in first["loc"]) or "it", 100)
        raise ValueError(f"{where}: {first['msg']}; send {example}") from None
    except ValueError:
        raise
    except Exception as error:  # noqa: BLE001  # a payload can be anything
        raise ValueError(f"it cannot be read ({type(error).__name__}); send {example}") from None


async def gate(state: RunState) -> None:
    """Let nothing new begin while the run is paused. Raises CancelledError once the run is cancelled."""
    if state.loop.cancelled is not None:
        raise asyncio.CancelledError
    if state.loop.paused is None:
        return
    if state.steps and state.steps[-1].finished_at is None:
        state.show()  # calls of this step may still be under way
    else:
        state.move("paused")
    await workflow.wait_condition(lambda: state.loop.paused is None)


async def before_plan(state: RunState) -> None:
    """Wait while the run is paused, then say what people told the agent since: nothing comes between that and the plan."""
    await gate(state)
    if state.loop.messages:
        messages, state.loop.messages = state.loop.messages, []
        state.transcript.append(steering.told(messages))


def holds_end(state: RunState) -> bool:
    """Whether the agent must hear something before it may end: what was sent in time is not passed over."""
    if not state.loop.messages:
        return False
    state.event("notice", "its end waits: a message came before it")
    return True


async def until_done(handle: ActivityHandle[T]) -> T:
    """The activity's result. When the run is cancelled the activity is told, and may clean up for a bounded time.

    Raises ActivityError as the activity failed, or CancelledError when it has not ended by then.
    """
    try:
        await workflow.wait([handle])
    except asyncio.CancelledError:
        if not handle.done():
            handle.cancel()
            await workflow.wait([handle], timeout=steering.CLEAN_UP_SECONDS)
        if not handle.done():
            raise
    return handle.result()


async def all_of(work: list[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all, side by side. When the run is cancelled each is told, and each is waited for."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        done, _ = await workflow.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        done, _ = await workflow.wait(tasks)
    for task in tasks:
        if task in done:
            task.result()
    return [task.result() for task in tasks]


def cut_short(state: RunState, record: CallRecord, tool: ToolSpec | None) -> str:
    """What becomes of a call that the run's cancellation ended, in words for the transcript.

    Raises CancelledError where it was not the run that was cancelled.
    """
    if state.loop.cancelled is None:
        raise asyncio.CancelledError
    if record.status not in ("running", "unknown"):
        record.status, record.why = "cancelled", "the run was cancelled before it began"
        return steering.NOT_BEGUN
    if tool is None or not tool.writes or record.dry_run:
        record.status, record.why = "cancelled", "the run was cancelled while it was under way"
        return steering.STOPPED
    record.status, record.why = "unknown", "the run was cancelled while it was under way"
    state.effect(record, tool, None, unknown=True)
    return steering.NOBODY_KNOWS


async def uncancelled(work: Coroutine[Any, Any, T]) -> tuple[T, asyncio.CancelledError | None]:
    """The work's result, also where the run is cancelled meanwhile, and that cancellation."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task), None
    except asyncio.CancelledError as cancelled:
        return await task, cancelled


async def wind_down(state: RunState, loop: "asyncio.Task[Any] | None" = None) -> None:
    """End a cancelled run: its calls stop and are on record, its transcript is whole, its outcome says what was done.

    Without a `loop` it is cancelled before its loop began.
    """
    said = workflow.cancellation_reason() or ""
    state.loop.cancelled = Cancellation(at=state.now(), reason=said)
    if loop is not None:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    if state.outcome is not None:
        return
    if results := steering.missing_results(state.transcript.messages):
        state.transcript.append(Message(role="user", content=results))
    state.requests.clear()  # nobody can decide them any more
    state.end("cancelled", reason=steering.cancelled_reason(said))
