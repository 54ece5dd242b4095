"""What the cloud cost agent and its tools return. Money is in US dollars a month, CPU in percent."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

Usd = Annotated[
    Decimal,
    PlainSerializer(float, return_type=float, when_used="json-unless-none"),
    WithJsonSchema({"type": "number", "minimum": 0}),
    Field(ge=0, decimal_places=2),
]
"""Dollars and cents: exact here, a number (never a string) in JSON, so that conditions can compare it."""


class Instance(BaseModel):
    """One EC2 instance."""

    id: str
    name: str
    type: str
    state: str
    protection: Literal["protected", "unknown", "open"]
    """`protected`: production or critical, never touched. `unknown`: a human decides. `open`: may be stopped."""
    tags: dict[str, str]
    """The first twelve tags, long values cut."""
    launched: date
    monthly_cost_usd: Usd | None
    """List price without disks; None when no price is known."""


class InstancePage(BaseModel):
    """Some of a region's instances, in the order of their ids."""

    region: str
    instances: list[Instance]
    matching: int
    """How many instances match, on all pages."""
    next_offset: int | None
    """Where the next page begins; None after the last."""


class CpuUse(BaseModel):
    """CPU use of one instance over whole days, newest last."""

    instance_id: str
    days_asked: int
    days_measured: int
    average_percent: float | None
    busiest_day_percent: float | None
    """The highest average of a day."""
    peak_percent: float | None
    """The highest single value."""
    daily_average_percent: list[float]


class IdleInstance(BaseModel):
    """A running instance that does nothing, with what stopping it saves."""

    id: str
    name: str
    type: str
    protection: Literal["unknown", "open"]
    why: str
    """The tag that decided `protection`."""
    busiest_day_percent: float
    peak_percent: float
    monthly_cost_usd: Usd


class ProtectedIdle(BaseModel):
    """An idle instance that is production or critical: reported, never touched."""

    id: str
    name: str
    why: str
    monthly_cost_usd: Usd | None


class Totals(BaseModel):
    """The whole region in numbers."""

    instances: int
    running: int
    stopped: int
    monthly_cost_usd: Usd
    """List price of the running instances whose price is known."""
    unpriced: int
    """Running instances without a known price."""
    idle: int
    idle_protected: int
    idle_unknown_environment: int
    not_judged: int
    """Running, but with CPU data for too few days."""
    cannot_be_stopped: int
    """Idle, but spot, in an auto scaling group, or without a disk that survives a stop."""


class IdleReport(BaseModel):
    """The idle instances of a region, most expensive first."""

    region: str
    days: int
    max_cpu_percent: float
    totals: Totals
    candidates: list[IdleInstance]
    next_offset: int | None
    """Where the next page of candidates begins; None after the last."""
    protected: list[ProtectedIdle]
    """The most expensive of those that were left out as protected, at most ten."""


class Snapshot(BaseModel):
    """A snapshot of one volume."""

    snapshot_id: str
    volume_id: str
    size_gb: int
    state: str
    """`pending` is enough to go on: a snapshot holds the volume as it was when it was asked for."""


class Snapshots(BaseModel):
    """The snapshots of every volume of an instance."""

    region: str
    instance_id: str
    snapshots: list[Snapshot]
    key: str = ""
    """Value of the tag `holdfast:key`, by which undo finds them again."""
    dry_run: bool = False
    """True: nothing was done; this is what would be."""


class Stopped(BaseModel):
    """An instance that was told to stop."""

    region: str
    instance_id: str
    name: str
    state: str
    monthly_savings_usd: Usd
    snapshot_ids: list[str]
    """The snapshots that were found of its volumes."""
    key: str = ""
    """Value of the tag `holdfast:stopped-by`, by which undo knows that this call stopped it."""
    dry_run: bool = False
    """True: nothing was done; this is what would be."""


class Started(BaseModel):
    """An instance that was told to start again, or why it was left as it is."""

    region: str
    instance_id: str
    state: str
    note: str = ""


class Deleted(BaseModel):
    """Snapshots that were deleted."""

    region: str
    snapshot_ids: list[str]


class Proposal(BaseModel):
    """An instance that would be stopped, were this not a dry run."""

    instance_id: str
    name: str = ""
    monthly_savings_usd: Usd


class Skipped(BaseModel):
    """An instance that is idle and was not stopped."""

    instance_id: str
    name: str = ""
    reason: str


class Report(BaseModel):
    """What the run did about the costs."""

    stopped: list[str]
    """Ids of the instances that were told to stop."""
    proposed: list[Proposal] = []
    """Only in a dry run."""
    skipped: list[Skipped] = []
    monthly_savings_usd: Usd
    """The list prices of `stopped`; in a dry run nothing is saved yet, see `proposed`."""
    summary: str = ""
