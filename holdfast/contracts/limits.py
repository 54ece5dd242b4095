"""Raising the limits of a run that is under way: what is asked for, and what became of it."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from holdfast.contracts.base import Contract, JsonObject
from holdfast.contracts.steering import MAX_REASON_CHARS, Name

_COUNT = re.compile(r"\+?[0-9]{1,9}")
_MONEY = re.compile(r"\+?[0-9]{1,9}(\.[0-9]{1,6})?")
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,3})?"
_TIME = re.compile(
    rf"(\+?)(?:({_NUMBER})|(?=.)(?:({_NUMBER})d)?(?:({_NUMBER})h)?(?:({_NUMBER})m)?(?:({_NUMBER})s)?)"
)
_SECONDS = (1.0, 86_400.0, 3_600.0, 60.0, 1.0)


def _spelled(pattern: "re.Pattern[str]", right: str, value: Any) -> Any:
    if value is None:
        return None
    said = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(said, str) or not pattern.fullmatch(said.strip()):
        raise ValueError(f"{value!r} is not {right}")
    return said.strip()


Count = Annotated[str, BeforeValidator(lambda v: _spelled(_COUNT, "a number such as 40 or '+20'", v))]
Amount = Annotated[str, BeforeValidator(lambda v: _spelled(_MONEY, "USD such as '0.50' or '+0.25'", v))]
Time = Annotated[
    str, BeforeValidator(lambda v: _spelled(_TIME, "seconds, or a time such as '2h' or '+1h30m'", v))
]


def seconds_of(time: str) -> float:
    """The seconds in a `Time`, without its sign: `+1h30m` is 5,400."""
    found = _TIME.fullmatch(time)
    parts = found.groups()[1:] if found else ()
    return sum(float(part) * unit for part, unit in zip(parts, _SECONDS, strict=False) if part)


class NewLimits(Contract):
    """What limits are to be: `40` is the new limit, `+20` is so much more than now. What is left out stays.

    More than now is counted from the limit, or from what is used if that is more already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Count | None = None
    calls: Count | None = None
    tokens: Count | None = None
    cost_usd: Amount | None = None
    wall_clock: Time | None = None
    """In seconds, or as `90s`, `+30m`, `2h`, `1d12h`."""
    working_time: Time | None = None
    """As `wall_clock`."""


class RaiseInput(NewLimits):
    """The signal and the update `raise_limits`: `{"by": "dana", "steps": "+20"}`."""

    by: Name
    reason: str = Field(default="", max_length=MAX_REASON_CHARS)


class LimitsRaised(Contract):
    """That a run's limits were raised: by whom, when, at which step, from what to what."""

    by: str
    at: str
    """ISO 8601, UTC."""
    step: int = 0
    reason: str = ""
    via: Literal["signal", "update"] = "signal"
    before: JsonObject = {}
    """The changed fields of the `LimitsSpec` as they were."""
    after: JsonObject = {}
