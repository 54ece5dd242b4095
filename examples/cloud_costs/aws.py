"""What the cloud cost agent does to EC2, as plain functions over boto3.

Each writing function takes the call's idempotency key and writes it into AWS as a tag, so that the same call made
twice does its work once, and so that AWS itself shows who did what:

* `holdfast:key` on a snapshot: the call that took it;
* `holdfast:stopped-by` on an instance: the call that stopped it. Only that call's undo starts it again.

All functions raise `Transient`, `Unauthorised` and `Correctable` as `aws_client.aws_errors` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from examples.cloud_costs.aws_client import aws_errors, ec2
from examples.cloud_costs.prices import OperatingSystem, monthly_cost_usd
from examples.cloud_costs.protection import Protection, protection
from examples.cloud_costs.results import (
    Deleted,
    Instance,
    InstancePage,
    Snapshot,
    Snapshots,
    Started,
    Stopped,
)
from holdfast.errors import Correctable, Transient

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef, SnapshotResponseTypeDef, SnapshotTypeDef

SNAPSHOT_KEY_TAG = "holdfast:key"
STOPPED_BY_TAG = "holdfast:stopped-by"
INSTANCE_TAG = "holdfast:instance"

SNAPSHOT_COUNTS_FOR = timedelta(days=2)
"""A snapshot older than this does not make a stop safe."""

PAGE_CHARACTERS = 13_000
"""A page of results ends here, so that it reaches the model whole."""

_SYSTEMS: dict[str, OperatingSystem] = {
    "": "Linux",
    "Linux/UNIX": "Linux",
    "windows": "Windows",
    "Windows": "Windows",
}
"""Instances of other systems carry licence fees that no list here knows."""

State = Literal["running", "stopped", "any"]


def all_instances(region: str) -> Iterator[InstanceTypeDef]:
    """Every instance of a region but the terminated ones, page by page."""
    with aws_errors(f"list the instances of {region}"):
        pages = (
            ec2(region)
            .get_paginator("describe_instances")
            .paginate(
                Filters=[
                    {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
                ]
            )
        )
        for page in pages:
            for reservation in page["Reservations"]:
                yield from reservation["Instances"]


def instance(region: str, instance_id: str) -> InstanceTypeDef:
    """One instance as AWS has it now.

    Raises:
        Correctable: There is no such instance in the region, or it is terminated.
    """
    with aws_errors(f"look at {instance_id} in {region}"):
        answer = ec2(region).describe_instances(InstanceIds=[instance_id])
    found = [one for reservation in answer["Reservations"] for one in reservation["Instances"]]
    if not found or state_of(found[0]) in {"terminated", "shutting-down"}:
        raise Correctable(f"{instance_id} does not exist in {region}, or is terminated")
    return found[0]


def list_instances(
    region: str, *, state: State = "any", text: str = "", offset: int = 0, limit: int = 50
) -> InstancePage:
    """One page of a region's instances.

    Args:
        region: Such as eu-west-1.
        state: Only instances in this state.
        text: Only instances whose id, type, or a tag holds this text; upper and lower case are the same.
        offset: How many to leave out at the start; the last page's `next_offset`.
        limit: At most so many. A page may be shorter, to stay within what a model can read.
    """
    wanted = text.casefold()
    found = sorted(
        (
            one
            for one in all_instances(region)
            if (state == "any" or state_of(one) == state) and (not wanted or wanted in _searchable(one))
        ),
        key=lambda one: one["InstanceId"],
    )
    page: list[Instance] = []
    size = 0
    for one in found[offset : offset + limit]:
        shown = _shown(region, one)
        size += len(shown.model_dump_json())
        if page and size > PAGE_CHARACTERS:
            break
        page.append(shown)
    end = offset + len(page)
    return InstancePage(
        region=region, instances=page, matching=len(found), next_offset=end if end < len(found) else None
    )


def check_snapshot(region: str, instance_id: str) -> list[str]:
    """The EBS volumes that a snapshot of the instance would be of; changes nothing.

    Raises:
        Correctable: The instance does not exist, is protected, or has no EBS volume.
    """
    one = instance(region, instance_id)
    _refuse_protected(one)
    volumes = _volumes(one)
    if not volumes:
        raise Correctable(f"{instance_id} has no EBS volume to snapshot; leave it alone")
    return volumes


def snapshot_instance(region: str, instance_id: str, *, key: str) -> Snapshots:
    """Snapshots every EBS volume of an instance, once per `key`.

    Raises:
        Correctable: The instance does not exist, is protected, or has no EBS volume.
    """
    volumes = check_snapshot(region, instance_id)
    taken = {
        snapshot["VolumeId"]: snapshot
        for snapshot in _snapshots(region, SNAPSHOT_KEY_TAG, _tag_value(key))
        if snapshot["VolumeId"] in volumes
    }
    snapshots = []
    for volume in volumes:
        made = taken.get(volume) or _take_snapshot(region, instance_id, volume, key)
        snapshots.append(
            Snapshot(
                snapshot_id=made["SnapshotId"],
                volume_id=volume,
                size_gb=made["VolumeSize"],
                state=made["State"],
            )
        )
    return Snapshots(region=region, instance_id=instance_id, snapshots=snapshots, key=_tag_value(key))


def delete_snapshots(region: str, *, key: str) -> Deleted:
    """Takes `snapshot_instance` of the same key back. Snapshots that are gone already are no error."""
    deleted = []
    for snapshot in _snapshots(region, SNAPSHOT_KEY_TAG, _tag_value(key)):
        with aws_errors(f"delete {snapshot['SnapshotId']}"):
            try:
                ec2(region).delete_snapshot(SnapshotId=snapshot["SnapshotId"])
            except ec2(region).exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") != "InvalidSnapshot.NotFound":
                    raise
        deleted.append(snapshot["SnapshotId"])
    return Deleted(region=region, snapshot_ids=deleted)


def check_stop(region: str, instance_id: str, monthly_cost: Decimal) -> InstanceTypeDef:
    """Whether an instance may be stopped at this price; reads it afresh and changes nothing.

    Raises:
        Correctable: It is protected, cannot be stopped for good, has no known price, or another price than
            the one given. An approval is asked for by price, so a wrong price must not pass.
    """
    one = instance(region, instance_id)
    _refuse_protected(one)
    obstacle = cannot_be_stopped(one)
    if obstacle:
        raise Correctable(f"{instance_id} {obstacle}; leave it alone")
    price = price_of(region, one)
    if price is None:
        raise Correctable(
            f"no price is known for {instance_id} ({one['InstanceType']}, {region}), so nobody can say what "
            "stopping it saves; leave it to a human"
        )
    if price != monthly_cost:
        raise Correctable(
            f"{instance_id} costs {price} dollars a month, not {monthly_cost}; call again with "
            f"monthly_cost_usd={price}"
        )
    return one


def stop_instance(region: str, instance_id: str, monthly_cost: Decimal, *, key: str) -> Stopped:
    """Stops one instance whose volumes have a fresh snapshot, once per `key`.

    Raises:
        Correctable: As `check_stop` says; or a volume lacks a snapshot; or somebody else stopped it before.
    """
    one = check_stop(region, instance_id, monthly_cost)
    ours = _tags(one).get(STOPPED_BY_TAG) == _tag_value(key)
    if state_of(one) in {"stopped", "stopping"} and not ours:
        raise Correctable(f"{instance_id} is already {state_of(one)}; stopping it would save nothing")
    if state_of(one) == "pending":
        raise Transient(f"{instance_id} is still starting", retry_after=10)
    snapshots = _fresh_snapshots(region, one)
    if state_of(one) == "running":
        _require_all(one, snapshots)
        with aws_errors(f"stop {instance_id}"):
            # The tag first: should the answer be lost, the next attempt knows the stopped instance as its own.
            ec2(region).create_tags(
                Resources=[instance_id], Tags=[{"Key": STOPPED_BY_TAG, "Value": _tag_value(key)}]
            )
            answer = ec2(region).stop_instances(InstanceIds=[instance_id])
        state: str = answer["StoppingInstances"][0]["CurrentState"]["Name"]
    else:
        state = state_of(one)
    return Stopped(
        region=region,
        instance_id=instance_id,
        name=name_of(one),
        state=state,
        monthly_savings_usd=monthly_cost,
        snapshot_ids=list(snapshots.values()),
        key=_tag_value(key),
    )


def start_instance(region: str, instance_id: str, *, key: str) -> Started:
    """Takes `stop_instance` of the same key back; leaves an instance alone that another call stopped.

    Raises:
        Transient: It is still stopping, or AWS has no capacity for it just now.
    """
    one = instance(region, instance_id)
    state = state_of(one)
    if _tags(one).get(STOPPED_BY_TAG) != _tag_value(key):
        return Started(
            region=region,
            instance_id=instance_id,
            state=state,
            note="left as it is: this call did not stop it",
        )
    if state == "stopping":
        raise Transient(f"{instance_id} is still stopping", retry_after=15)
    with aws_errors(f"start {instance_id}"):
        if state == "stopped":
            answer = ec2(region).start_instances(InstanceIds=[instance_id])
            state = answer["StartingInstances"][0]["CurrentState"]["Name"]
        ec2(region).delete_tags(Resources=[instance_id], Tags=[{"Key": STOPPED_BY_TAG}])
    return Started(region=region, instance_id=instance_id, state=state)


def protection_of(one: InstanceTypeDef) -> Protection:
    """What the instance's tags say about touching it."""
    return protection(_tags(one))


def price_of(region: str, one: InstanceTypeDef) -> Decimal | None:
    """The instance's list price a month; None when it is not known, as for spot and dedicated ones."""
    if one.get("InstanceLifecycle") or one.get("Placement", {}).get("Tenancy", "default") != "default":
        return None
    system = _SYSTEMS.get(one.get("PlatformDetails") or one.get("Platform") or "")
    return None if system is None else monthly_cost_usd(region, one["InstanceType"], system)


def cannot_be_stopped(one: InstanceTypeDef) -> str | None:
    """Why stopping the instance would not save money or would lose data; None when neither is so."""
    if one.get("InstanceLifecycle"):
        return f"is a {one['InstanceLifecycle']} instance, which is not stopped like others"
    if "aws:autoscaling:groupName" in _tags(one):
        return "belongs to an auto scaling group, which would replace it at once"
    if one.get("RootDeviceType") == "instance-store":
        return "keeps its root disk on the host and would lose it"
    return None


def state_of(one: InstanceTypeDef) -> str:
    """The instance's state, such as `running`."""
    return one["State"]["Name"]


def name_of(one: InstanceTypeDef) -> str:
    """The instance's `Name` tag, or nothing."""
    return _tags(one).get("Name", "")[:128]


def _tags(one: InstanceTypeDef | SnapshotTypeDef) -> Mapping[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in one.get("Tags", []) if "Key" in tag}


def _tag_value(key: str) -> str:
    """The key as a tag's value, which AWS limits to 256 characters."""
    return key if len(key) <= 256 else hashlib.sha256(key.encode()).hexdigest()


def _searchable(one: InstanceTypeDef) -> str:
    tags = " ".join(f"{key}={value}" for key, value in _tags(one).items())
    return f"{one['InstanceId']} {one['InstanceType']} {tags}".casefold()


def _shown(region: str, one: InstanceTypeDef) -> Instance:
    return Instance(
        id=one["InstanceId"],
        name=name_of(one),
        type=one["InstanceType"],
        state=state_of(one),
        protection=protection_of(one).level,
        tags={key: value[:64] for key, value in sorted(_tags(one).items())[:12] if key != "Name"},
        launched=one["LaunchTime"].date(),
        monthly_cost_usd=price_of(region, one),
    )


def _refuse_protected(one: InstanceTypeDef) -> None:
    """The last rail, behind the guard: tags may change while a call waits a day for its approval."""
    found = protection_of(one)
    if found.level == "protected":
        raise Correctable(f"{one['InstanceId']} is production or critical ({found.why}); leave it alone")


def _volumes(one: InstanceTypeDef) -> list[str]:
    return [
        mapping["Ebs"]["VolumeId"]
        for mapping in one.get("BlockDeviceMappings", [])
        if "Ebs" in mapping and "VolumeId" in mapping["Ebs"]
    ]


def _snapshots(region: str, tag: str, value: str) -> list[SnapshotTypeDef]:
    with aws_errors(f"look for snapshots in {region}"):
        pages = (
            ec2(region)
            .get_paginator("describe_snapshots")
            .paginate(OwnerIds=["self"], Filters=[{"Name": f"tag:{tag}", "Values": [value]}])
        )
        return [snapshot for page in pages for snapshot in page["Snapshots"] if snapshot["State"] != "error"]


def _take_snapshot(region: str, instance_id: str, volume: str, key: str) -> SnapshotResponseTypeDef:
    with aws_errors(f"snapshot {volume} of {instance_id}"):
        return ec2(region).create_snapshot(
            VolumeId=volume,
            Description=f"{instance_id}, before Holdfast's cloud cost agent stops it",
            TagSpecifications=[
                {
                    "ResourceType": "snapshot",
                    "Tags": [
                        {"Key": SNAPSHOT_KEY_TAG, "Value": _tag_value(key)},
                        {"Key": INSTANCE_TAG, "Value": instance_id},
                    ],
                }
            ],
        )


def _fresh_snapshots(region: str, one: InstanceTypeDef) -> dict[str, str]:
    """For each volume of the instance that has one: the id of a fresh snapshot."""
    oldest = datetime.now(UTC) - SNAPSHOT_COUNTS_FOR
    volumes = _volumes(one)
    return {
        snapshot["VolumeId"]: snapshot["SnapshotId"]
        for snapshot in _snapshots(region, INSTANCE_TAG, one["InstanceId"])
        if snapshot["StartTime"] >= oldest and snapshot["VolumeId"] in volumes
    }


def _require_all(one: InstanceTypeDef, snapshots: Mapping[str, str]) -> None:
    missing = [volume for volume in _volumes(one) if volume not in snapshots]
    if missing:
        raise Correctable(
            f"{one['InstanceId']} has no snapshot of {', '.join(missing)} from the last two days; "
            "call snapshot_instance first"
        )
