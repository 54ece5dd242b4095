"""Which instances do nothing: CPU use from CloudWatch, joined with price and protection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from examples.cloud_costs.aws import (
    PAGE_CHARACTERS,
    all_instances,
    cannot_be_stopped,
    instance,
    name_of,
    price_of,
    protection_of,
    state_of,
)
from examples.cloud_costs.aws_client import aws_errors, cloudwatch
from examples.cloud_costs.results import CpuUse, IdleInstance, IdleReport, ProtectedIdle, Totals

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

_QUERIES_PER_CALL = 500
"""CloudWatch's limit."""

_ENOUGH = 0.85
"""An instance with data for fewer of the days than this share is not judged."""

_QUIET_PEAK_PERCENT = 30.0
"""An instance that ever went above this works now and then, such as in a nightly job."""

_UNPRICED = Decimal(-1)


class _Use(NamedTuple):
    """Daily figures of one instance, oldest first."""

    averages: list[float]
    peaks: list[float]


def cpu_utilisation(region: str, instance_id: str, days: int = 14) -> CpuUse:
    """The CPU use of one instance over the last whole days (UTC).

    Raises:
        Correctable: There is no such instance in the region.
    """
    instance(region, instance_id)
    use = _cpu(region, [instance_id], days)[instance_id]
    measured = bool(use.averages)
    return CpuUse(
        instance_id=instance_id,
        days_asked=days,
        days_measured=len(use.averages),
        average_percent=round(sum(use.averages) / len(use.averages), 1) if measured else None,
        busiest_day_percent=round(max(use.averages), 1) if measured else None,
        peak_percent=round(max(use.peaks), 1) if use.peaks else None,
        daily_average_percent=[round(average, 1) for average in use.averages],
    )


def find_idle_instances(
    region: str, *, max_cpu_percent: float = 5.0, days: int = 14, offset: int = 0, limit: int = 25
) -> IdleReport:
    """The running instances whose busiest day stayed at or below `max_cpu_percent`, most expensive first.

    Idle ones that are production or critical are listed apart; those without a price, with too little data, or that
    cannot be stopped are counted and left out. An instance that once went above 30 % is not idle: it may be a nightly job.
    """
    found = list(all_instances(region))
    running = [one for one in found if state_of(one) == "running"]
    use = _cpu(region, [one["InstanceId"] for one in running], days)
    enough = max(1, int(days * _ENOUGH))
    judged = [one for one in running if len(use[one["InstanceId"]].averages) >= enough]
    idle = [one for one in judged if _is_idle(use[one["InstanceId"]], max_cpu_percent)]
    prices = {one["InstanceId"]: price_of(region, one) for one in running}
    idle.sort(key=lambda one: (-_or(prices[one["InstanceId"]], _UNPRICED), one["InstanceId"]))

    protected = [one for one in idle if protection_of(one).level == "protected"]
    stoppable = [one for one in idle if one not in protected and cannot_be_stopped(one) is None]
    candidates = [
        _candidate(one, price, use[one["InstanceId"]])
        for one in stoppable
        if (price := prices[one["InstanceId"]]) is not None
    ]
    page, next_offset = _page(candidates, offset, limit)
    return IdleReport(
        region=region,
        days=days,
        max_cpu_percent=max_cpu_percent,
        totals=Totals(
            instances=len(found),
            running=len(running),
            stopped=sum(state_of(one) == "stopped" for one in found),
            monthly_cost_usd=sum((price for price in prices.values() if price is not None), Decimal(0)),
            unpriced=sum(price is None for price in prices.values()),
            idle=len(idle),
            idle_protected=len(protected),
            idle_unknown_environment=sum(one.protection == "unknown" for one in candidates),
            not_judged=len(running) - len(judged),
            cannot_be_stopped=len(idle) - len(protected) - len(stoppable),
        ),
        candidates=page,
        next_offset=next_offset,
        protected=[
            ProtectedIdle(
                id=one["InstanceId"],
                name=name_of(one),
                why=protection_of(one).why,
                monthly_cost_usd=prices[one["InstanceId"]],
            )
            for one in protected[:10]
        ],
    )


def _candidate(one: InstanceTypeDef, price: Decimal, use: _Use) -> IdleInstance:
    said = protection_of(one)
    return IdleInstance(
        id=one["InstanceId"],
        name=name_of(one),
        type=one["InstanceType"],
        protection="open" if said.level == "open" else "unknown",
        why=said.why,
        busiest_day_percent=round(max(use.averages), 1),
        peak_percent=round(max(use.peaks), 1),
        monthly_cost_usd=price,
    )


def _is_idle(use: _Use, max_cpu_percent: float) -> bool:
    return max(use.averages) <= max_cpu_percent and max(use.peaks) <= max(
        _QUIET_PEAK_PERCENT, max_cpu_percent
    )


def _or(price: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if price is None else price


def _page(candidates: list[IdleInstance], offset: int, limit: int) -> tuple[list[IdleInstance], int | None]:
    page: list[IdleInstance] = []
    # The list of protected ones shares the page.
    size = PAGE_CHARACTERS // 4
    for one in candidates[offset : offset + limit]:
        size += len(one.model_dump_json())
        if page and size > PAGE_CHARACTERS:
            break
        page.append(one)
    end = offset + len(page)
    return page, end if end < len(candidates) else None


def _cpu(region: str, instance_ids: Sequence[str], days: int) -> dict[str, _Use]:
    """CPUUtilization per whole UTC day; a day without data is missing."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    series: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    per_call = _QUERIES_PER_CALL // 2
    for begin in range(0, len(instance_ids), per_call):
        asked = {
            f"{statistic.lower()}_{number}": (instance_id, statistic)
            for number, instance_id in enumerate(instance_ids[begin : begin + per_call])
            for statistic in ("Average", "Maximum")
        }
        with aws_errors(f"read CPU use in {region}"):
            pages = (
                cloudwatch(region)
                .get_paginator("get_metric_data")
                .paginate(
                    MetricDataQueries=[_query(name, *what) for name, what in asked.items()],
                    StartTime=midnight - timedelta(days=days),
                    EndTime=midnight,
                )
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    values = zip(result["Timestamps"], result["Values"], strict=True)
                    series.setdefault(asked[result["Id"]], []).extend(values)
    return {
        instance_id: _Use(
            averages=[value for _, value in sorted(series.get((instance_id, "Average"), []))],
            peaks=[value for _, value in sorted(series.get((instance_id, "Maximum"), []))],
        )
        for instance_id in instance_ids
    }


def _query(name: str, instance_id: str, statistic: str) -> MetricDataQueryTypeDef:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/EC2",
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "InstanceId", "Value": instance_id}],
            },
            "Period": 86_400,
            "Stat": statistic,
        },
    }
