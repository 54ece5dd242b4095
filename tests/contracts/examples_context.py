"""Examples of the contracts of large data and long runs."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts.artifacts import ArtifactRead, ArtifactRef

ARTIFACT = ArtifactRef(
    id="0123456789abcdef0123456789abcdef",
    bytes=52_428_800,
    media_type="application/json",
    name="rows.json",
    call="3.1",
    head='[{"id": 1, "name": "ü',
)
EXAMPLES: dict[str, BaseModel] = {
    "ArtifactRef": ARTIFACT,
    "ArtifactRead": ArtifactRead(
        run="ticket-88", call="4.1", artifact=ARTIFACT, offset=16_000, length=8_000, find="i-0abc"
    ),
}
