"""Going back: the run as of a step, how a fork begins from one, and what a rewound run must know."""

from collections.abc import Iterable

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from holdfast.contracts.archive import ArchivedPart
from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.carrying import pack
from holdfast.contracts.digests import digest
from holdfast.contracts.forks import CheckpointRequest, ForkInput, MadeCall, Rewound
from holdfast.contracts.messages import text_block
from holdfast.contracts.spec import ToolSpec
from holdfast.contracts.state import ForkPoint, LoopState, RunCheckpoint, StepMark
from policies import feedback, undoing
from policies.approval import Clearance
from policies.forking import careful
from policies.json_safety import safe, shorten
from workflows import redeciding
from workflows.answering import MAX_ANSWER_BYTES
from workflows.any_payloads import NOTHING
from workflows.call_execution import Answer
from workflows.checkpointing import dump
from workflows.human_desk import HumanDesk
from workflows.run_state import PREVIEW_CHARS, RunState
from workflows.transcript import Transcript

TOLD_WITHIN_SECONDS = 10.0
"""So long a rewound run waits, before its first write, to be told what it had done since."""

NOT_INHERITED = (
    "last_turn", "limit", "rested_seconds", "rests_since", "archive_after", "waits_for", "account_called", "messages", "paused", "cancelled", "may_cost_usd",
    "rewound", "rewind", "untold", "told", "parked",
)  # fmt: skip
"""What a fork does not take over from the run that it was forked from."""

GOES_ON = "The run ended here, and goes on."


def mark(state: RunState) -> None:
    """Note how far the run is: a step is over, or the execution begins."""
    number = len(state.steps)
    if state.marks and state.marks[-1].number == number:
        state.marks.pop()
    state.marks.append(
        StepMark(
            number=number,
            at=state.now(),
            messages=len(state.transcript.messages),
            planned=state.transcript.position,
            calls=len(state.ledger),
            events=len(state.events),
            effects=state.total_effects,
            done_calls=len(state.done_calls),
            loop=state.loop.model_copy(deep=True),
            usage=state.usage,
            context_tokens=state.context_tokens,
            ended=state.outcome is not None,
        )
    )


def point(state: RunState, asked: CheckpointRequest) -> ForkPoint:
    """The run as it was after a step. Raises ApplicationError of type NoCheckpoint, with those that there are.

    What was made to outside, and what happened, is not in it: nothing that goes on from it looks at that.
    """
    first, last = (state.marks[0].number, state.marks[-1].number) if state.marks else (0, 0)
    at, start = asked.at, asked.start
    found = next((one for one in state.marks if one.number == (last if at is None else at)), None)
    if found is None:
        raise ApplicationError(
            f"no checkpoint of step {at} is at hand; those of steps {first} to {last} are",
            type="NoCheckpoint",
        )
    fork, rewind = state.given.fork, state.loop.rewind
    carried = pack(_cut(dump(state), found))
    page = carried.data[start : start + MAX_ANSWER_BYTES]
    return ForkPoint(
        task=state.given.task,
        user=state.given.user,
        checkpoint=carried.model_copy(update={"data": page}),
        made=[*(fork.made if fork else ()), *(rewind.made if rewind else ())],
        total=len(carried.data),
        digest=digest(carried.data),
        misfit=redeciding.problem(state, found.number, asked.decisions),
    )


def _cut(whole: RunCheckpoint, found: StepMark) -> RunCheckpoint:
    """The checkpoint cut back to a mark."""
    step = found.number
    return whole.model_copy(
        update={
            "status": "planning",
            "loop": found.loop.model_copy(update={"forked": False}),
            "transcript": Transcript.load(whole.transcript, "").as_of(found.messages, found.planned),
            "steps": [one for one in whole.steps if one.number <= step],
            "total_steps": step,
            "keyed_calls": [one for one in whole.keyed_calls if undoing.step_of(one.id) <= step],
            "total_calls": found.calls,
            "requests": [],
            "decisions": [one for one in whole.decisions if one.at <= found.at],
            "ignored": [one for one in whole.ignored if one.at <= found.at],
            "effects": [one for one in whole.effects if undoing.step_of(one.call) <= step],
            "total_effects": found.effects,
            "done_calls": [],
            "total_done_calls": found.done_calls,
            "events": [],
            "total_events": found.events,
            "archive": _cut_archive(whole.archive, found),
            "usage": found.usage,
            "context_tokens": found.context_tokens,
            "finished_at": whole.finished_at if found.ended else None,
            "outcome": whole.outcome if found.ended else None,
        }
    )


def _cut_archive(parts: Iterable[ArchivedPart], found: StepMark) -> list[ArchivedPart]:
    stops = {"messages": found.messages, "steps": found.number, "events": found.events}
    stops["done_calls"] = found.done_calls
    return [
        part.model_copy(update={"stop": min(part.stop, stops[part.kind])})
        for part in parts
        if part.start < stops[part.kind]
    ]


def start_of_fork(source: RunCheckpoint) -> RunCheckpoint:
    """What a fork begins with: what was said and done up to the step, and a record of its own."""
    now = workflow.now().isoformat(timespec="milliseconds")
    steps = [one.model_copy(deep=True) for one in source.steps]
    keyed = [one.model_copy() for one in source.keyed_calls]
    for call in (*keyed, *(call for step in steps for call in step.calls)):
        if call.dry_run:  # it was not made, so it keeps nobody from making it
            call.idempotency_key = ""
    fresh = LoopState()
    loop = source.loop.model_copy(update={name: getattr(fresh, name) for name in NOT_INHERITED})
    return source.model_copy(
        update={
            "execution": 1,
            "opened_at": now,
            "started_at": now,
            "status": "starting",
            "loop": loop,
            "steps": steps,
            "keyed_calls": keyed,
            "requests": [],
            "ignored": [],
            "effects": [],
            "total_effects": 0,
            "done_calls": [],
            "total_done_calls": 0,
            "events": [],
            "total_events": 0,
            "usage": type(source.usage)(),
            "finished_at": None,
            "outcome": None,
            "archive": [one for one in source.archive if one.kind in ("messages", "steps")],
        }
    )


async def begin(state: RunState, desk: HumanDesk) -> None:
    """Do what a fork changes, once: give calls other results, and tell the agent what is to be said."""
    fork = state.given.fork
    if fork is None or state.loop.forked:
        return
    state.loop.forked = True
    state.dry_run = fork.writes == "simulate"
    by = f" by {fork.by}" if fork.by else ""
    text = f"{state.spec.name} ({state.digest[:8]}): fork of {fork.run} at step {fork.at}{by}"
    state.event("started", text, state_of(fork))
    results = await _other_results(state, desk, fork)
    messages = state.transcript.messages
    if results:
        blocks = messages[-1].content
        content = [
            feedback.tool_result(block["tool_use_id"], other.text, is_error=other.is_error)
            if (other := results.get(block.get("tool_use_id", ""))) is not None
            else block
            for block in blocks
        ]
        state.transcript.replace_last(content)
    for said in (redeciding.about_run(state, fork), fork.message):
        if said:
            _tell(state, said)


def state_of(fork: ForkInput) -> JsonObject:
    """A fork as its event tells it."""
    return fork.model_dump(mode="json", include={"run", "at", "by", "writes", "changed"})


def _tell(state: RunState, text: str) -> None:
    last = state.transcript.messages[-1]
    calls = [b["id"] for b in last.content if b.get("type") == "tool_use"] if last.role == "assistant" else []
    content = [*(feedback.tool_result(one, GOES_ON) for one in calls), text_block(text)]
    if last.role == "user":
        state.transcript.replace_last([*last.content, *content])
    else:
        state.transcript.append(last.model_copy(update={"role": "user", "content": content}))


async def _other_results(state: RunState, desk: HumanDesk, fork: ForkInput) -> dict[str, Answer]:
    """By the model's id of a call, what it shall have been told."""
    calls = {call.id: call for call in (state.steps[-1].calls if state.steps else ())}
    found: dict[str, Answer] = {}
    for name, result in fork.answers.items():
        if (call := calls.get(name)) is not None:
            found[call.tool_use_id] = _answered(state, call, result)
    for request, given in fork.decisions.items():
        if (call := calls.get(request.partition("-")[0])) is not None:
            found[call.tool_use_id] = await redeciding.about_call(state, desk, call, request, given)
    return found


def _answered(state: RunState, call: CallRecord, result: Json) -> Answer:
    tool = state.spec.tool(call.tool)
    text = feedback.render(feedback.cut(safe(result), tool.max_result_chars if tool else 16_000))
    call.status, call.failure, call.preview = "done", None, shorten(text, PREVIEW_CHARS)
    call.why = "its result was given by the fork"
    return Answer(text)


def rewound(state: RunState, raw: RawValue) -> None:
    """Whoever rewound the run tells what it had done since. The loop hears it at its next safe moment."""
    try:
        if raw is NOTHING:
            raise ValueError("it holds nothing")  # noqa: TRY301  # one message for all that is wrong
        told = Rewound.model_validate(workflow.payload_converter().from_payload(raw.payload, dict))
    except (ValidationError, ValueError, TypeError) as error:
        state.ignore("rewound", shorten(str(error), 500))
        return
    state.loop.told.append(told)


async def with_care(state: RunState, record: CallRecord, tool: ToolSpec, clearance: Clearance) -> Clearance:
    """The clearance of a call, where the run went back behind something that it or another run had done."""
    fork = state.given.fork
    if tool.writes:
        state.hear_of_rewind()
        if state.loop.untold:
            await _told(state)
    made: Iterable[MadeCall] = [
        *(fork.made if fork else ()),
        *(state.loop.rewind.made if state.loop.rewind else ()),
    ]
    writes = fork.writes if fork else None
    return careful(clearance, state.spec, tool, record, writes=writes, made=made, run=state.run)


async def _told(state: RunState) -> None:
    """A reset by hand tells nothing, so this does not wait for ever."""
    try:
        await workflow.wait_condition(
            lambda: any(not one.more for one in state.loop.told), timeout=TOLD_WITHIN_SECONDS
        )
    except TimeoutError:
        state.loop.untold = False
        state.event("notice", "the run was reset, and nobody told what it had done since")
    state.hear_of_rewind()
