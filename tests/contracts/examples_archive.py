"""Values of what a run lays aside and hands on."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts import archive, messages, run, state, undo
from tests.contracts import examples as other
from tests.contracts.examples_context import COMPACTED, VIEW

PART = archive.ArchivedPart(
    kind="steps", start=20, stop=340, artifact=other.DIGEST, bytes=12_345, execution="0199-run-id"
)
RANGE = archive.Range(kind="messages", start=40, stop=680)
CARRIED = run.Carried(version=2, execution=3, step=340, data="eJyrVkrOz0nVUVAqLU4tUrJSMjQ2MVGqBQBEEgZc")
RESULT = state.ResultBlock(message=679, block=1, call="340.1")
TRANSCRIPT = state.TranscriptState(
    start=679,
    messages=[other.TOLD],
    digests=[other.DIGEST, other.DIGEST],
    sizes=[512],
    planned=679,
    archived=680,
    results=[RESULT],
    roles="u",
    dropped_bytes=40_000,
    views=[VIEW],
    beside_task=messages.user_text("Look also at this."),
)

EXAMPLES: dict[str, BaseModel] = {
    "ArchivedPart": PART,
    "ArchiveOutcome": archive.ArchiveOutcome(parts=[PART]),
    "ArchiveRequest": archive.ArchiveRequest(run="ticket-88", ranges=[RANGE]),
    "Carried": CARRIED,
    "Page.archived": messages.Page(position=1, total=3, messages=[], archived=PART),
    "Range": RANGE,
    "ResultBlock": RESULT,
    "RunCheckpoint": state.RunCheckpoint(
        version=2,
        execution=3,
        spec=other.AGENT,
        dry_run=True,
        opened_at=other.AT,
        started_at=other.AT,
        status="acting",
        loop=state.LoopState(rung=1),
        transcript=TRANSCRIPT,
        steps=[other.STEP],
        total_steps=340,
        keyed_calls=[other.CALL],
        total_calls=341,
        requests=[other.REQUEST],
        decisions=[other.DECISION],
        ignored=[other.IGNORED],
        artifacts=[other.ARTIFACT],
        compactions=[COMPACTED],
        effects=[other.EFFECT],
        total_effects=12,
        done_calls=[undo.DoneCall(input=other.TOOL_INPUT, tool=other.STOP)],
        total_done_calls=12,
        events=[run.RunEvent(number=1023, at=other.AT, kind="notice", step=340, text="goes on")],
        total_events=1024,
        usage=other.USAGE,
        context_tokens=1200,
        finished_at=other.LATER,
        outcome=other.OUTCOME,
        archive=[PART],
    ),
    "RunInput.checkpoint": run.RunInput(agent="cloud-costs", task="Cut our spend.", checkpoint=CARRIED),
    "TranscriptState": TRANSCRIPT,
}
