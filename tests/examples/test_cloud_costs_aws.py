"""The cloud cost agent's boto3 code against a real moto server over HTTP."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any

import pytest

from examples.cloud_costs import aws, idle
from examples.cloud_costs import journal as facts
from examples.cloud_costs.aws_client import ec2
from examples.cloud_costs.guards import never_touch_production
from examples.cloud_costs.inventory import Inventory, load, machines
from examples.cloud_costs.journal import Journal
from examples.cloud_costs.results import Stopped
from holdfast import Correctable, ProposedCall

EU, US = "eu-west-1", "us-east-1"


def the(account: Inventory, name: str) -> str:
    """The id of the one machine of that name."""
    (found,) = account.ids(name=name)
    return found


def price(instance_id: str, region: str = EU) -> Decimal:
    found = aws.price_of(region, aws.instance(region, instance_id))
    assert found is not None
    return found


def stop(instance_id: str, key: str, region: str = EU) -> Stopped:
    return aws.stop_instance(region, instance_id, price(instance_id, region), key=key)


def proposed(**arguments: Any) -> ProposedCall:
    return ProposedCall(
        run="run",
        call="3.1",
        agent="cloud-costs",
        tool="stop_instance",
        effect="reversible",
        arguments={"region": EU, "instance_id": "i-00000000000000000", "monthly_cost_usd": 1, **arguments},
    )


# ------------------------------------------------------------------------------------------------ looking


def test_the_inventory_is_the_same_every_time() -> None:
    """Two makings of the account give equal machines, and some hundred of them."""
    assert machines() == machines()
    assert len(machines()) == 240


def test_the_inventory_is_never_loaded_into_real_aws(
    account: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an endpoint on this machine, loading is refused before any request."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://ec2.eu-west-1.amazonaws.com")
    with pytest.raises(RuntimeError, match="only fills a local stand-in"):
        load([])


def test_pages_hold_every_instance_once(account: Inventory) -> None:
    """Following next_offset to the end gives each instance of the region exactly once."""
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = aws.list_instances(EU, offset=offset)
        assert len(page.model_dump_json()) < 16_000
        seen += [one.id for one in page.instances]
        offset = page.next_offset
    assert sorted(seen) == sorted(key for key, machine in account.machines.items() if machine.region == EU)


def test_a_page_stays_readable_when_tags_are_long(account: Inventory) -> None:
    """Fifty tags of 256 characters on many instances make shorter pages, never longer ones."""
    ids = [
        key for key, machine in account.machines.items() if machine.region == US and machine.work == "busy"
    ][:30]
    tags = [{"Key": f"a{number:02}", "Value": "x" * 256} for number in range(40)]
    ec2(US).create_tags(Resources=ids, Tags=tags)  # type: ignore[arg-type]
    try:
        page = aws.list_instances(US)
        assert len(page.model_dump_json()) < 16_000
        assert page.next_offset is not None
        assert page.next_offset == len(page.instances)
    finally:
        ec2(US).delete_tags(Resources=ids, Tags=[{"Key": tag["Key"]} for tag in tags])


def test_a_listing_narrows_by_state_and_text(account: Inventory) -> None:
    """State and text filters give the instances that fit, and only those."""
    stopped = aws.list_instances(EU, state="stopped")
    assert {one.state for one in stopped.instances} == {"stopped"}
    assert [one.name for one in aws.list_instances(EU, text="NOTEBOOK").instances] == ["ml-notebook-jo"]
    assert aws.list_instances(EU, text="no such thing").matching == 0


def test_no_production_or_critical_machine_is_a_candidate(account: Inventory) -> None:
    """Whatever its tags are spelled like, a machine that truly is production or critical is never offered."""
    for region in (EU, US):
        report = idle.find_idle_instances(region)
        for candidate in report.candidates:
            truth = account.machines[candidate.id].truly_is
            assert truth == {"open": "expendable", "unknown": "unlabelled"}[candidate.protection]


def test_every_forgotten_machine_is_found(account: Inventory) -> None:
    """The idle machines that may be stopped are exactly the open candidates, most expensive first."""
    report = idle.find_idle_instances(EU)
    found = [candidate.id for candidate in report.candidates if candidate.protection == "open"]
    cannot = {"web-asg-3", "render-spot-1", "hpc-trial"}
    wanted = [
        key
        for key in account.ids(truly_is="expendable", work="idle")
        if account.machines[key].region == EU and account.machines[key].name not in cannot
    ]
    assert sorted(found) == sorted(wanted)
    costs = [candidate.monthly_cost_usd for candidate in report.candidates]
    assert costs == sorted(costs, reverse=True)


def test_the_report_counts_what_it_leaves_out(account: Inventory) -> None:
    """Protected, unpriced, unstoppable and unjudged machines are counted, not silently dropped."""
    eu, us = idle.find_idle_instances(EU), idle.find_idle_instances(US)
    assert eu.totals.idle_protected == len(
        [
            k
            for t in ("production", "critical")
            for k in account.ids(truly_is=t, work="idle")
            if account.machines[k].region == EU
        ]
    )
    assert eu.totals.cannot_be_stopped == 2
    assert eu.totals.unpriced == 2
    assert us.totals.not_judged == 1
    assert {"payments-db-standby", "ledger"} <= {one.name for one in eu.protected}
    assert len(eu.model_dump_json()) < 16_000


def test_candidates_come_in_pages(account: Inventory) -> None:
    """Two pages of candidates together are the whole list."""
    whole = idle.find_idle_instances(US).candidates
    first = idle.find_idle_instances(US, limit=3)
    assert first.next_offset == 3
    rest = idle.find_idle_instances(US, offset=3)
    assert first.candidates + rest.candidates == whole
    assert rest.next_offset is None


def test_a_nightly_job_is_not_idle(account: Inventory) -> None:
    """A machine with a low average and one high peak a day is in use."""
    job = the(account, "report-builder")
    use = idle.cpu_utilisation(EU, job)
    assert use.average_percent is not None
    assert use.average_percent < 5
    assert use.peak_percent is not None
    assert use.peak_percent > 30
    assert job not in {candidate.id for candidate in idle.find_idle_instances(EU).candidates}


def test_cpu_use_of_a_stopped_machine_is_unknown_not_zero(account: Inventory) -> None:
    """Where CloudWatch has nothing, the answer says so."""
    off = next(key for key in account.ids(work="off") if account.machines[key].region == EU)
    use = idle.cpu_utilisation(EU, off)
    assert (use.days_measured, use.average_percent, use.peak_percent) == (0, None, None)


@pytest.mark.parametrize("region", ["mars-1", "", "eu-west-1; rm -rf /"])
def test_a_region_that_does_not_exist_is_the_planners_mistake(moto: object, region: str) -> None:
    """The model is told at once; nothing is tried over the network."""
    with pytest.raises(Correctable, match="no region"):
        aws.list_instances(region)


# ------------------------------------------------------------------------------------------------ the guard


@pytest.mark.parametrize(
    "name,verdict",
    [
        ("payments-db-standby", "refuse"),
        ("prod-cache-old", "refuse"),
        ("ledger", "refuse"),
        ("legacy-batch", "ask"),
        ("ml-notebook-jo", "allow"),
    ],
)
async def test_the_guard_decides_by_the_tags_in_aws(account: Inventory, name: str, verdict: str) -> None:
    """Production and critical are refused, an unknown environment is for finops, the rest may be stopped."""
    said = await never_touch_production(proposed(instance_id=the(account, name)))
    assert said.kind == verdict
    assert said.by == ("finops" if verdict == "ask" else None)


@pytest.mark.parametrize(
    "arguments",
    [{"instance_id": "i-00000000000000000"}, {"instance_id": 7}, {"region": "mars-1"}, {"region": None}],
)
async def test_the_guard_refuses_what_it_cannot_look_at(
    account: Inventory, arguments: dict[str, Any]
) -> None:
    """An instance that is not there, or a call that names none, is refused rather than let through."""
    said = await never_touch_production(proposed(**arguments))
    assert said.kind == "refuse"
    assert said.why


# ------------------------------------------------------------------------------------------------ snapshots


def test_a_snapshot_covers_every_volume(account: Inventory) -> None:
    """One snapshot for each attached volume, tagged with the call's key and the instance."""
    target = the(account, "ml-notebook-jo")
    done = aws.snapshot_instance(EU, target, key="run-a/2.1")
    taken = [one for one in facts.snapshots(EU) if one.key == "run-a/2.1"]
    assert {one.snapshot_id for one in done.snapshots} == {one.snapshot_id for one in taken}
    assert {one.instance_id for one in taken} == {target}
    attached = [m["Ebs"]["VolumeId"] for m in aws.instance(EU, target)["BlockDeviceMappings"]]
    assert sorted(one.volume_id for one in done.snapshots) == sorted(attached)


def test_a_repeated_snapshot_call_takes_no_second_snapshot(account: Inventory, journal: Journal) -> None:
    """The same key gives the same snapshots, with one CreateSnapshot a volume."""
    target = the(account, "warehouse-staging")
    first = aws.snapshot_instance(US, target, key="run-b/2.1")
    again = aws.snapshot_instance(US, target, key="run-b/2.1")
    assert first.snapshots == again.snapshots
    assert len(journal.writes("CreateSnapshot")) == len(first.snapshots) == 2


def test_a_snapshot_call_that_was_cut_off_is_completed(account: Inventory, journal: Journal) -> None:
    """When only one of two volumes has its snapshot, the repeated call takes the other."""
    target = the(account, "auth-standby")
    ec2(US).create_tags(Resources=[target], Tags=[{"Key": "tier", "Value": "dev"}])
    done = aws.snapshot_instance(US, target, key="run-c/2.1")
    ec2(US).delete_snapshot(SnapshotId=done.snapshots[1].snapshot_id)
    again = aws.snapshot_instance(US, target, key="run-c/2.1")
    assert again.snapshots[0] == done.snapshots[0]
    assert again.snapshots[1].volume_id == done.snapshots[1].volume_id
    assert len(journal.writes("CreateSnapshot")) == 3


def test_undoing_a_snapshot_deletes_that_calls_snapshots_only(account: Inventory) -> None:
    """Another call's snapshots of the same volumes stay, and a second undo is no error."""
    target = the(account, "load-generator")
    mine = aws.snapshot_instance(US, target, key="run-d/2.1")
    other = aws.snapshot_instance(US, target, key="run-e/2.1")
    deleted = aws.delete_snapshots(US, key="run-d/2.1")
    assert deleted.snapshot_ids == [one.snapshot_id for one in mine.snapshots]
    left = {one.snapshot_id for one in facts.snapshots(US)}
    assert {one.snapshot_id for one in other.snapshots} <= left
    assert not left & set(deleted.snapshot_ids)
    assert aws.delete_snapshots(US, key="run-d/2.1").snapshot_ids == []


def test_a_key_longer_than_a_tag_still_works(account: Inventory) -> None:
    """AWS limits a tag's value to 256 characters; a longer key is replaced by its digest, both times."""
    target, key = the(account, "load-generator"), "run/" + "x" * 400
    first = aws.snapshot_instance(US, target, key=key)
    assert aws.snapshot_instance(US, target, key=key) == first


# ------------------------------------------------------------------------------------------------ stopping


def test_stopping_needs_a_snapshot_first(account: Inventory, journal: Journal) -> None:
    """Without a fresh snapshot of every volume nothing is stopped, and the planner is told what to do."""
    target = the(account, "demo-box")
    with pytest.raises(Correctable, match="call snapshot_instance first"):
        stop(target, "run-f/3.1")
    assert facts.states(EU)[target] == "running"
    assert journal.writes() == []


def test_stop_and_undo(account: Inventory) -> None:
    """A stopped instance says who stopped it; undo starts it and takes the mark away."""
    target = the(account, "dev-ana")
    snapshots = aws.snapshot_instance(EU, target, key="run-g/2.1")
    done = stop(target, "run-g/3.1")
    assert done.monthly_savings_usd == Decimal("78.11")
    assert done.snapshot_ids == [one.snapshot_id for one in snapshots.snapshots]
    assert facts.states(EU)[target] == "stopped"
    assert facts.stopped_by(EU)[target] == "run-g/3.1"

    started = aws.start_instance(EU, target, key="run-g/3.1")
    assert (started.state, started.note) == ("pending", "")
    assert facts.states(EU)[target] == "running"
    assert target not in facts.stopped_by(EU)
    assert "did not stop it" in aws.start_instance(EU, target, key="run-g/3.1").note


def test_a_repeated_stop_does_its_work_once(account: Inventory, journal: Journal) -> None:
    """The second call with the same key succeeds with the same answer and sends no StopInstances."""
    target = the(account, "ci-runner-old")
    aws.snapshot_instance(EU, target, key="run-h/2.1")
    first = stop(target, "run-h/3.1")
    again = stop(target, "run-h/3.1")
    assert again.model_copy(update={"state": first.state}) == first
    assert [request.resource for request in journal.writes("StopInstances")] == [target]


def test_an_instance_that_somebody_else_stopped_is_not_claimed(account: Inventory) -> None:
    """It is no saving of this run, and undo must not start it."""
    target = the(account, "qa-selenium")
    ec2(US).stop_instances(InstanceIds=[target])
    with pytest.raises(Correctable, match="already stopped"):
        stop(target, "run-i/3.1", US)
    assert "did not stop it" in aws.start_instance(US, target, key="run-i/3.1").note
    assert facts.states(US)[target] == "stopped"


def test_a_lowered_price_is_refused_with_the_real_one(account: Inventory, journal: Journal) -> None:
    """A planner cannot slip below the approval threshold by naming a smaller saving."""
    target = the(account, "analytics-scratch")
    aws.snapshot_instance(EU, target, key="run-j/2.1")
    with pytest.raises(Correctable, match=r"costs 411\.72 dollars a month, not 99"):
        aws.stop_instance(EU, target, Decimal(99), key="run-j/3.1")
    assert journal.writes("StopInstances") == []


@pytest.mark.parametrize(
    "name,why",
    [
        ("web-asg-3", "auto scaling group"),
        ("render-spot-1", "spot instance"),
        ("hpc-trial", "no price is known"),
        ("payments-db-standby", "production or critical"),
        ("ledger", "production or critical"),
    ],
)
def test_what_must_not_be_stopped_is_refused(
    account: Inventory, journal: Journal, name: str, why: str
) -> None:
    """The tool refuses by itself, even when no guard stood before it."""
    with pytest.raises(Correctable, match=why):
        aws.stop_instance(EU, the(account, name), Decimal(1), key="run-k/3.1")
    assert journal.writes() == []


def test_a_tag_added_while_waiting_for_approval_counts(account: Inventory) -> None:
    """The tool reads the tags again when it acts: what became critical overnight stays up."""
    target = the(account, "perf-lab-3")
    aws.snapshot_instance(EU, target, key="run-l/2.1")
    cost = price(target)
    ec2(EU).create_tags(Resources=[target], Tags=[{"Key": "critical", "Value": "yes"}])
    with pytest.raises(Correctable, match="critical"):
        aws.stop_instance(EU, target, cost, key="run-l/3.1")
    assert facts.states(EU)[target] == "running"


@pytest.mark.parametrize("instance_id", ["i-00000000000000000", "nonsense", ""])
def test_an_instance_that_does_not_exist_is_the_planners_mistake(
    account: Inventory, instance_id: str
) -> None:
    """An unknown or malformed id is answered, not retried."""
    with pytest.raises(Correctable):
        aws.snapshot_instance(EU, instance_id, key="run-m/2.1")


def test_the_environment_points_at_the_loopback() -> None:
    """No test of this file can reach a real account."""
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
