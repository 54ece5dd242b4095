"""Attachments: files that a task speaks of, small ones in the input itself, others in the artifact store."""

from typing import Self

from pydantic import Field, model_validator

from holdfast.contracts.artifacts import ARTIFACT_ID, ArtifactRef
from holdfast.contracts.base import Contract

MAX_ATTACHMENTS = 50

MAX_INLINE_CHARS = 8_000
"""The longest text that may stand in a run's input and is shown to the model whole."""

MAX_NAME_CHARS = 255


class Attachment(Contract):
    """A file that was given with a task: a text in the input itself, or the id of what the artifact store holds."""

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    media_type: str = Field(default="text/plain", max_length=200)
    bytes: int = Field(default=0, ge=0)
    artifact: str | None = Field(default=None, pattern=ARTIFACT_ID)
    """The first 32 hex digits of the SHA-256 of its bytes, under which the artifact store has it."""
    text: str | None = Field(default=None, max_length=MAX_INLINE_CHARS)
    """All of a small text. It is shown to the model with the task, and need not be in the artifact store."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.artifact is None) == (self.text is None):
            raise ValueError("an attachment has either `artifact` or `text`")
        if not (self.name + self.media_type).isprintable():
            raise ValueError("the name and media type of an attachment are printable")
        if self.artifact is not None and not self.bytes:
            raise ValueError("an attachment in the artifact store says how many `bytes` it has")
        return self

    @property
    def ref(self) -> ArtifactRef | None:
        """As an artifact of its run; None for a text in the input."""
        if self.artifact is None:
            return None
        return ArtifactRef(id=self.artifact, bytes=self.bytes, media_type=self.media_type, name=self.name)
