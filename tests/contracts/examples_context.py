"""Examples of the contracts of large data and long runs."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel

from holdfast.contracts.artifacts import ArtifactRead, ArtifactRef
from holdfast.contracts.attachments import Attachment
from holdfast.contracts.calls import Failure
from holdfast.contracts.compacting import CompactionSpec
from holdfast.contracts.messages import user_text
from holdfast.contracts.plans import Seen, Usage
from holdfast.contracts.run import RunInput
from holdfast.contracts.spec import ModelRung
from holdfast.contracts.summaries import CompactInput, CompactionRecord, CompactOutcome, View

ARTIFACT = ArtifactRef(
    id="0123456789abcdef0123456789abcdef",
    bytes=52_428_800,
    media_type="application/json",
    name="rows.json",
    call="3.1",
    head='[{"id": 1, "name": "ü',
)
VIEW = View(start=31, made_at=35, base=ARTIFACT.id, before_bytes=60_000, summary="Twelve places were empty.")
SEEN = Seen(start=31, base=ARTIFACT.id, opening=ARTIFACT.id[::-1])
USAGE = Usage(input_tokens=9_000, output_tokens=500, model_calls=1)
COMPACTED = CompactionRecord(
    step=7,
    at="2026-11-21T03:00:00.000+00:00",
    messages=12,
    kept=10,
    tokens=150_200,
    by="claude-haiku-4-5",
    chars=900,
    usage=USAGE,
)
EXAMPLES: dict[str, BaseModel] = {
    "View": VIEW,
    "Seen": SEEN,
    "CompactInput": CompactInput(
        run="ticket-88",
        agent="cloud-costs",
        digest=ARTIFACT.id,
        step=7,
        rung=1,
        position=13,
        before=ARTIFACT.id,
        new=[user_text("Go on.")],
        after=ARTIFACT.id,
        last_turn=True,
        max_tokens_factor=2,
        user="ana",
        may_cost_usd=Decimal("0.42"),
        left_usd=Decimal("0.31"),
        seen=SEEN,
        has_artifacts=True,
        stop=5,
        summariser=ModelRung(kind="model", model="claude-haiku-4-5"),
    ),
    "CompactionSpec": CompactionSpec(model="claude-haiku-4-5", at=0.5, keep=6),
    "CompactOutcome": CompactOutcome(
        summary="Twelve places were empty.",
        by="claude-haiku-4-5",
        usage=USAGE,
        failure=Failure(kind="transient", message="overloaded", error="overloaded_error"),
        seconds=2.5,
    ),
    "CompactionRecord": COMPACTED,
    "ArtifactRef": ARTIFACT,
    "Attachment": Attachment(name="bills.csv", media_type="text/csv", bytes=52_428_800, artifact=ARTIFACT.id),
    "Attachment.text": Attachment(name="notes.md", media_type="text/markdown", bytes=9, text="Mind it."),
    "RunInput.attachments": RunInput(
        agent="cloud-costs",
        task="Cut our spend.",
        attachments=[Attachment(name="bills.csv", bytes=7, artifact=ARTIFACT.id)],
    ),
    "ArtifactRead": ArtifactRead(
        run="ticket-88", call="4.1", artifact=ARTIFACT, offset=16_000, length=8_000, find="i-0abc"
    ),
}
