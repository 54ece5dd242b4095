"""Values of what workers and the breaker board say to each other."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel

from holdfast.contracts.breakers import (
    Breaker,
    BreakerAnswer,
    BreakerBoardState,
    BreakerReport,
    BreakerSettings,
)

_SETTINGS = BreakerSettings(failures=3, open_seconds=30.0, trial_seconds=20.0)
_BREAKER = Breaker(
    dependency="model:claude-sonnet-5",
    state="half_open",
    failures=5,
    since=datetime(2026, 11, 21, 3, 0, tzinfo=UTC),
    until=datetime(2026, 11, 21, 3, 1, tzinfo=UTC),
    trial=2,
    last_failure="overloaded_error: Overloaded",
    failed_at=datetime(2026, 11, 21, 2, 59, tzinfo=UTC),
    reset_by="dana",
    version=9,
)

EXAMPLES: dict[str, BaseModel] = {
    "Breaker": _BREAKER,
    "BreakerAnswer": BreakerAnswer(breaker=_BREAKER, trial=2),
    "BreakerBoardState": BreakerBoardState(breakers=(_BREAKER,)),
    "BreakerReport": BreakerReport(
        dependency="crm", event="failed", trial=1, why="503 Service Unavailable", settings=_SETTINGS
    ),
    "BreakerSettings": _SETTINGS,
}
