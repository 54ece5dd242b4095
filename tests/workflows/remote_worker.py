"""A plain Temporal worker that has never heard of Holdfast, started as a process of its own by a test.

    python remote_worker.py ADDRESS TASK_QUEUE

It serves tools by name: an activity gets one JSON object (arguments, idempotency key, and who asks) and returns JSON.
"""

import asyncio
import sys
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker


@activity.defn(name="geo.locate")
async def locate(call: dict[str, Any]) -> dict[str, Any]:
    """Answer with what was asked, and on whose behalf."""
    return {
        "place": call["arguments"]["city"].upper(),
        "key": call["idempotency_key"],
        "user": call["user"],
        "attempt": activity.info().attempt,
    }


@activity.defn(name="geo.strange")
async def strange(call: dict[str, Any]) -> Any:
    """Answer with what is asked for: bytes, nothing, far too much, or an error of another world."""
    match call["arguments"]["kind"]:
        case "bytes":
            return b"\xff\x00\xfe"
        case "nothing":
            return None
        case "large":
            return "HEAD" + "x" * 100_000 + "TAIL"
        case "busy once":
            if activity.info().attempt == 1:
                raise RuntimeError("busy")
            return "free"
        case "never":
            raise ApplicationError("no such planet", type="NoSuchPlanet", non_retryable=True)
        case "a long error":
            raise ApplicationError("x" * 1_500_000, type="Long" * 1000, non_retryable=True)
        case "a long detail":
            detail = {"kind": "correctable", "message": "y" * 900_000, "error": "Long" * 1000}
            raise ApplicationError("no", detail, type="correctable", non_retryable=True)
        case "beyond what can be stored":
            return "z" * 3_000_000
        case kind:
            return {"unasked": kind}


async def main(address: str, task_queue: str) -> None:
    """Serve until killed."""
    client = await Client.connect(address)
    assert not any(name.split(".")[0] == "holdfast" for name in sys.modules)
    async with Worker(client, task_queue=task_queue, activities=[locate, strange]):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
