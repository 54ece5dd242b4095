"""Artifacts: data that is too large for a transcript, kept whole in the artifact store and referred to by its digest."""

from holdfast.contracts.base import Contract, Json, JsonObject

ARTIFACT_ID = "^[0-9a-f]{32}$"
"""An artifact's id: the first 32 hex digits of the SHA-256 of its bytes. Equal bytes are one artifact."""


class ArtifactRef(Contract):
    """One artifact of a run: where it came from, and how large it is."""

    id: str
    bytes: int
    media_type: str = "text/plain"
    name: str = ""
    """The file's name, for an attachment."""
    call: str | None = None
    """The call whose result it is, such as `3.1`; None for an attachment."""
    head: str = ""
    """The beginning of a text, as the planner is shown it."""


class ArtifactRead(Contract):
    """The one argument of the `read_artifact` activity: a page of an artifact, in bytes."""

    run: str
    call: str
    artifact: ArtifactRef
    offset: int = 0
    length: int
    find: str = ""
    """Begin where this text next stands, at `offset` or behind it; empty begins at `offset`."""


CUT = "holdfast_cut"
"""Key of a tool's result that was cut: `{CUT: text, "artifact": {…}}`, the text for the model and where the whole is."""


def cut_result(text: str, artifact: ArtifactRef) -> JsonObject:
    """What a tool's activity answers in the place of a result that is too long for the transcript."""
    return {CUT: text, "artifact": artifact.model_dump(mode="json")}


def uncut(result: Json) -> tuple[Json, ArtifactRef | None]:
    """A tool activity's answer: what the model is shown, and the artifact that holds the whole, if there is one."""
    if isinstance(result, dict) and set(result) == {CUT, "artifact"}:
        return result[CUT], ArtifactRef.model_validate(result["artifact"])
    return result, None
