"""Worker deployments: several builds of a worker side by side, each run on the build that it began with.

Temporal routes by them where workers say who they are: a *deployment* (the fleet's name) and a *build id* (such as a git
commit). New runs go to the deployment's current build. Without these names there is no routing, as before.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client as TemporalClient
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from holdfast.errors import UsageError

KNOWN_WITHIN = 15.0
"""Seconds until the server must have heard of a build whose worker has just started."""


def deployment_config(deployment: str | None, build_id: str | None) -> WorkerDeploymentConfig | None:
    """What a worker tells the server about itself; None for a worker without a version.

    Runs of agents say themselves that they stay with their build; the engine's other workflows move on with each.
    Raises UsageError when only one of the two is given.
    """
    if deployment is None and build_id is None:
        return None
    if not deployment or not build_id:
        raise UsageError(
            "A versioned worker needs both a deployment (the name of the fleet, such as `agents`) and a build id "
            "(which code it is, such as a git commit)."
        )
    if "." in deployment or ":" in deployment:
        raise UsageError(f"A deployment's name has no dot and no colon in it, which {deployment!r} has.")
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def current_command(deployment: str, build_id: str) -> str:
    """The command that makes a build the one that new runs go to."""
    return f"temporal worker deployment set-current-version --deployment-name {deployment} --build-id {build_id} --yes"


async def make_current(client: TemporalClient, deployment: str, build_id: str) -> None:
    """Let new runs go to this build, whose worker is up. Raises UsageError if the server does not take it."""
    asked = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=deployment, build_id=build_id, identity=client.identity
    )
    deadline = asyncio.get_running_loop().time() + KNOWN_WITHIN
    while True:
        try:
            await client.workflow_service.set_worker_deployment_current_version(
                asked, timeout=timedelta(seconds=5)
            )
            return
        except RPCError as error:
            waits = error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)
            if not waits or asyncio.get_running_loop().time() > deadline:
                raise UsageError(
                    f"Build {build_id} of {deployment} could not be made current: {error.message}. "
                    f"Try again with: {current_command(deployment, build_id)}"
                ) from None
        await asyncio.sleep(0.2)  # the server hears of a build from its worker's first polls
