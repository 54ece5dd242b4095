"""What really happened in a stand-in account, as its server saw it: for demos and tests that hold an agent to its word."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from examples.cloud_costs.aws import INSTANCE_TAG, SNAPSHOT_KEY_TAG, STOPPED_BY_TAG, all_instances, state_of
from examples.cloud_costs.aws_client import ec2

_READS = ("Describe", "Get", "List")


@dataclass(frozen=True)
class Request:
    """One request of EC2's API that reached the server; a repeated attempt is another one.

    Attributes:
        resource: The first instance, volume or snapshot that it names.
    """

    action: str
    region: str
    resource: str


@dataclass(frozen=True)
class TakenSnapshot:
    """A snapshot that exists, with the key of the call that took it."""

    snapshot_id: str
    volume_id: str
    instance_id: str
    key: str


class Journal:
    """The writing requests since it was made, from a `MotoServer`'s recording."""

    def __init__(self, recording: Path) -> None:
        self._recording = recording
        self._begin = recording.stat().st_size

    def writes(self, action: str | None = None) -> list[Request]:
        """Every writing request in order, or those of one action, such as `StopInstances`."""
        found = _requests(self._recording, self._begin)
        return [
            request
            for request in found
            if not request.action.startswith(_READS) and action in {None, request.action}
        ]


def states(region: str) -> dict[str, str]:
    """The state of every instance of the region that boto3's account has."""
    return {one["InstanceId"]: state_of(one) for one in all_instances(region)}


def stopped_by(region: str) -> dict[str, str]:
    """For each instance that an agent stopped: the key of the call that did."""
    return {
        one["InstanceId"]: tag.get("Value", "")
        for one in all_instances(region)
        for tag in one.get("Tags", [])
        if tag.get("Key") == STOPPED_BY_TAG
    }


def snapshots(region: str) -> list[TakenSnapshot]:
    """The snapshots that an agent took, oldest first."""
    pages = (
        ec2(region)
        .get_paginator("describe_snapshots")
        .paginate(OwnerIds=["self"], Filters=[{"Name": "tag-key", "Values": [SNAPSHOT_KEY_TAG]}])
    )
    found = sorted(
        (snapshot for page in pages for snapshot in page["Snapshots"]), key=lambda one: one["StartTime"]
    )
    taken = []
    for snapshot in found:
        tags = {tag.get("Key"): tag.get("Value", "") for tag in snapshot.get("Tags", [])}
        taken.append(
            TakenSnapshot(
                snapshot_id=snapshot["SnapshotId"],
                volume_id=snapshot["VolumeId"],
                instance_id=tags.get(INSTANCE_TAG, ""),
                key=tags.get(SNAPSHOT_KEY_TAG, ""),
            )
        )
    return taken


def _requests(recording: Path, begin: int) -> Iterator[Request]:
    with recording.open("rb") as lines:
        lines.seek(begin)
        for line in lines:
            if not line.endswith(b"\n"):
                return
            entry = json.loads(line)
            body = base64.b64decode(entry["body"]) if entry.get("body_encoded") else entry["body"].encode()
            fields = parse_qs(body.decode("utf-8", errors="replace"))
            scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/ec2/", entry["headers"].get("Authorization", ""))
            if scope is None or "Action" not in fields:
                continue
            named = [
                fields[name][0]
                for name in ("InstanceId.1", "VolumeId", "SnapshotId", "ResourceId.1")
                if name in fields
            ]
            yield Request(action=fields["Action"][0], region=scope[1], resource=named[0] if named else "")
