"""How an author says when and by whom a transcript is summarised."""

from __future__ import annotations

import pydantic

from holdfast.contracts.compacting import CompactionSpec
from holdfast.errors import DefinitionError
from holdfast.promises import in_words


def Compaction(  # noqa: N802  # a value an author writes; the class behind it is a contract
    *, model: str | None = None, at: float = 0.75, keep: int = 10
) -> CompactionSpec:
    """When a transcript outgrows its planner: who summarises its oldest part, and what is kept word for word.

    Args:
        model: Who summarises; by default the last model of the ladder.
        at: The part of the model's window from which on it is done.
        keep: How many of the last messages are kept, room permitting.

    Raises DefinitionError.
    """
    try:
        return CompactionSpec(model=model, at=at, keep=keep)
    except pydantic.ValidationError as error:
        raise DefinitionError(f"Compaction: {in_words(error)}.") from None
