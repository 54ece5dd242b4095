"""What the cloud cost agent may touch, and how its rules plan: pure decisions, no AWS."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from examples.cloud_costs import rules
from examples.cloud_costs.inventory import machines
from examples.cloud_costs.protection import protection
from examples.cloud_costs.results import IdleInstance, IdleReport, ProtectedIdle, Report, Stopped, Totals
from holdfast import Call, CallMade, Finish, PlanView

EU = "eu-west-1"


@pytest.mark.parametrize(
    "tags",
    [
        {"env": "prod"},
        {"Env": "Prod"},
        {"ENVIRONMENT": " PRODUCTION "},
        {"environment": "prod-eu"},
        {"stage": "live"},
        {"Tier": "critical"},
        {"tier": "tier-1"},
        {"k8s.io/env": "prd"},
        {"app:environment": "Production"},
        {"critical": "true"},
        {"Critical": "YES"},
        {"Criticality": "high"},
        {"business-critical": "1"},
        {"critical": "ask dana"},
        {"do-not-stop": "true"},
        {"Name": "prod-db-1"},
        {"Name": "db.PROD.2"},
        {"Name": "ordersProdDb"},
        {"Name": "eu-production"},
        {"env": "dev", "Name": "prod-db-1"},
        {"env": "dev", "environment": "prod"},
        {"env": "dev", "purpose": "production"},
    ],
)
def test_production_and_critical_are_recognised(tags: dict[str, str]) -> None:
    """However people spell it, and even when another tag says otherwise."""
    assert protection(tags).level == "protected"


@pytest.mark.parametrize(
    "tags",
    [
        {"env": "dev"},
        {"Environment": "Staging"},
        {"ENV": " qa "},
        {"env": "non-prod"},
        {"env": "preprod"},
        {"stage": "pre-production"},
        {"env": "dev", "critical": "false"},
        {"env": "test", "Name": "non-prod-db"},
        {"env": "test", "Name": "product-search"},
        {"env": "dev", "criticality": "low"},
    ],
)
def test_what_says_that_it_is_not_production_is_open(tags: dict[str, str]) -> None:
    """An environment tag with a known harmless value, and nothing that contradicts it."""
    assert protection(tags).level == "open"


@pytest.mark.parametrize(
    "tags",
    [{}, {"Name": "legacy"}, {"env": ""}, {"env": "blue"}, {"env": "dev", "stage": "eu"}, {"team": "dev"}],
)
def test_what_does_not_say_is_unknown(tags: dict[str, str]) -> None:
    """No environment tag, or one with a value that nobody has listed, is for a human."""
    assert protection(tags).level == "unknown"


def test_the_inventory_is_judged_as_it_truly_is() -> None:
    """Of all machines of the inventory, none is taken for something that it is not."""
    expected = {
        "production": "protected",
        "critical": "protected",
        "unlabelled": "unknown",
        "expendable": "open",
    }
    for machine in machines():
        assert protection({"Name": machine.name, **machine.tags}).level == expected[machine.truly_is], machine


# ------------------------------------------------------------------------------------------------ the plan


def candidate(name: str, cost: str, protection: Any = "open") -> IdleInstance:
    return IdleInstance(
        id=f"i-{name}",
        name=name,
        type="m5.large",
        protection=protection,
        why="tag env=dev",
        busiest_day_percent=1,
        peak_percent=5,
        monthly_cost_usd=Decimal(cost),
    )


CANDIDATES = [
    candidate("unknown", "900", "unknown"),
    candidate("big", "400"),
    candidate("second", "300"),
    candidate("small", "100"),
    candidate("tiny", "60.5"),
    candidate("last", "10"),
]


def made(tool: str, arguments: dict[str, Any], result: Any, *, ok: bool) -> CallMade:
    return CallMade(tool=tool, arguments=arguments, result=result, ok=ok)


def look(candidates: list[IdleInstance], region: str = EU) -> CallMade:
    report = IdleReport(
        region=region,
        days=14,
        max_cpu_percent=5,
        totals=Totals(
            instances=9,
            running=9,
            stopped=0,
            monthly_cost_usd=Decimal(1),
            unpriced=0,
            idle=len(candidates) + 1,
            idle_protected=1,
            idle_unknown_environment=0,
            not_judged=0,
            cannot_be_stopped=0,
        ),
        candidates=candidates,
        next_offset=None,
        protected=[ProtectedIdle(id="i-prod", name="prod", why="tag env=prod", monthly_cost_usd=None)],
    )
    return made("find_idle_instances", {"region": region}, report.model_dump(mode="json"), ok=True)


def snapshot(name: str, *, ok: bool = True) -> CallMade:
    return made(
        "snapshot_instance",
        {"region": EU, "instance_id": f"i-{name}"},
        {} if ok else "Failed: no room",
        ok=ok,
    )


def stop(name: str, cost: str, *, dry: bool = False, words: str | None = None) -> CallMade:
    done = Stopped(
        region=EU,
        instance_id=f"i-{name}",
        name=name,
        state="stopping",
        monthly_savings_usd=Decimal(cost),
        snapshot_ids=["snap-1"],
        dry_run=dry,
    )
    return made(
        "stop_instance",
        {"region": EU, "instance_id": f"i-{name}", "monthly_cost_usd": float(cost)},
        words or done.model_dump(mode="json"),
        ok=words is None,
    )


def next_plan(*calls: CallMade, task: str = "Cut our spend in eu-west-1", **more: Any) -> Any:
    view = PlanView(run="r", task=task, step=len(calls) + 1, calls=list(calls), **more)
    return rules.plan(view, None)


def wished(plan: Any) -> list[tuple[str, Any]]:
    assert all(isinstance(call, Call) for call in plan)
    return [(call.tool, call.arguments.get("instance_id", call.arguments["region"])) for call in plan]


def report_of(plan: Any) -> Report:
    assert isinstance(plan, Finish)
    assert isinstance(plan.output, Report)
    return plan.output


def test_rules_look_first_in_every_region_of_the_task() -> None:
    """Each region that the task names is looked at once, in one step."""
    plan = next_plan(task="Look at eu-west-1, US-EAST-1 and eu-west-1 again")
    assert wished(plan) == [("find_idle_instances", EU), ("find_idle_instances", "us-east-1")]


def test_rules_use_the_configured_region_when_the_task_names_none() -> None:
    """AWS's own configuration decides; without one the run ends and says what is missing."""
    view = PlanView(run="r", task="Cut our spend", step=1, calls=[])
    configured = rules.plan(view, "ap-south-1")
    assert wished(configured) == [("find_idle_instances", "ap-south-1")]
    unconfigured = rules.plan(view, None)
    assert isinstance(unconfigured, Finish)
    assert unconfigured.status == "failed"
    assert "name one" in unconfigured.reason


def test_rules_snapshot_one_expensive_and_two_cheap_ones() -> None:
    """Exactly $100 is below the threshold; unknown environments are left alone."""
    plan = next_plan(look(CANDIDATES))
    assert wished(plan) == [(("snapshot_instance"), f"i-{name}") for name in ("big", "small", "tiny")]


def test_rules_stop_what_has_its_snapshot() -> None:
    """An instance whose snapshot failed is not stopped."""
    plan = next_plan(look(CANDIDATES), snapshot("big"), snapshot("small", ok=False), snapshot("tiny"))
    assert wished(plan) == [("stop_instance", "i-big"), ("stop_instance", "i-tiny")]
    assert plan[1].arguments["monthly_cost_usd"] == 60.5


def test_rules_report_what_was_done() -> None:
    """Savings count what was stopped; what was left out stands there with the reason."""
    plan = next_plan(
        look(CANDIDATES),
        *(snapshot(name) for name in ("big", "small", "tiny")),
        *(stop("big", "400"), stop("small", "100"), stop("tiny", "60.5")),
    )
    report = report_of(plan)
    assert plan.status == "completed"
    assert report.stopped == ["i-big", "i-small", "i-tiny"]
    assert report.monthly_savings_usd == Decimal("560.5")
    assert {one.instance_id for one in report.skipped} == {"i-unknown", "i-prod"}


def test_a_rejection_is_an_answer_not_a_failure() -> None:
    """The rejected instance is skipped with the human's reason, and the run is complete."""
    plan = next_plan(
        look(CANDIDATES),
        *(snapshot(name) for name in ("big", "small", "tiny")),
        stop("big", "400", words="Not done: dana rejected this. Reason: quarter end"),
        *(stop("small", "100"), stop("tiny", "60.5")),
    )
    report = report_of(plan)
    assert plan.status == "completed"
    assert report.monthly_savings_usd == Decimal("160.5")
    assert "quarter end" in next(one.reason for one in report.skipped if one.instance_id == "i-big")


def test_a_failed_stop_makes_the_result_partial() -> None:
    """Nothing is tried again; the reason is in the result."""
    plan = next_plan(
        look(CANDIDATES[:2]), snapshot("big"), stop("big", "400", words="Failed (transient): busy")
    )
    assert plan.status == "partial"
    assert "busy" in plan.reason
    assert report_of(plan).stopped == []


def test_a_dry_run_proposes_and_saves_nothing() -> None:
    """What would be stopped stands under `proposed`, and no saving is claimed."""
    plan = next_plan(look(CANDIDATES[:2]), snapshot("big"), stop("big", "400", dry=True))
    report = report_of(plan)
    assert (report.stopped, report.monthly_savings_usd) == ([], Decimal(0))
    assert [(one.instance_id, one.monthly_savings_usd) for one in report.proposed] == [
        ("i-big", Decimal(400))
    ]


def test_an_edited_call_counts_by_what_was_carried_out() -> None:
    """When a human changed the call, words stand before its result, which says what was really stopped."""
    done = stop("tiny", "60.5").result
    call = made(
        "stop_instance",
        {"region": EU, "instance_id": "i-big", "monthly_cost_usd": 400.0},
        f"dana changed the arguments to {{}} before approving. Result: {json.dumps(done)}",
        ok=True,
    )
    report = report_of(next_plan(look(CANDIDATES[:2]), snapshot("big"), call))
    assert (report.stopped, report.monthly_savings_usd) == (["i-tiny"], Decimal("60.5"))


def test_nothing_idle_is_a_complete_run() -> None:
    """An account without waste ends at once."""
    plan = next_plan(look([]))
    assert plan.status == "completed"
    assert report_of(plan).stopped == []


def test_a_region_that_cannot_be_read_is_said_so() -> None:
    """The other region is dealt with, and the result is partial."""
    broken = made("find_idle_instances", {"region": "us-east-1"}, "Failed (credentials): no", ok=False)
    task = "eu-west-1 and us-east-1"
    assert wished(next_plan(look(CANDIDATES[:2]), broken, task=task)) == [("snapshot_instance", "i-big")]
    assert next_plan(broken).status == "failed"
    plan = next_plan(look([]), broken, task=task)
    assert plan.status == "partial"
    assert "us-east-1" in plan.reason


def test_the_last_turn_hands_in_what_there_is() -> None:
    """At a limit the rules finish partially, whatever phase they are in."""
    for calls in ([], [look(CANDIDATES)], [look(CANDIDATES), snapshot("big")]):
        plan = next_plan(*calls, last_turn=True)
        assert isinstance(plan, Finish)
        assert plan.status in {"partial", "failed"}
