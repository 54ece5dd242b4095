"""Examples of what failures and outcomes gain."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts import calls

EXAMPLES: dict[str, BaseModel] = {
    "Failure.lost": calls.Failure(
        kind="unknown_outcome", message="an earlier attempt was lost", error="Timeout", earlier_attempt=True
    ),
}
