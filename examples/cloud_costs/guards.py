"""The rail that no planner can talk its way around: production and critical instances are never touched."""

from __future__ import annotations

import asyncio

from examples.cloud_costs import aws
from holdfast import Correctable, ProposedCall, Verdict


async def never_touch_production(call: ProposedCall) -> Verdict:
    """Reads the instance's tags afresh from AWS, and decides by them alone.

    Production or critical is refused. Where no tag says what an instance is, a human is asked before it is
    stopped; a snapshot of it harms nobody. A call that names no instance is refused.

    Raises:
        Transient: AWS cannot be asked just now.
        Unauthorised: The credentials do not work.
    """
    region, instance_id = call.arguments.get("region"), call.arguments.get("instance_id")
    if not isinstance(region, str) or not isinstance(instance_id, str):
        return Verdict.refuse("the call names no instance, so nobody can tell whether it is production")
    try:
        found = aws.protection_of(await asyncio.to_thread(aws.instance, region, instance_id))
    except Correctable as error:
        return Verdict.refuse(str(error))
    if found.level == "protected":
        return Verdict.refuse(f"{instance_id} is production or critical ({found.why}), and is never touched")
    if found.level == "unknown" and call.tool != "snapshot_instance":
        return Verdict.ask(f"is {instance_id} production? {found.why}", by="finops")
    return Verdict.allow()
