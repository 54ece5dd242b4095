"""A scripted model as a process: `python -m holdfast.testing script.json`.

Prints one line with the address to put into `ANTHROPIC_BASE_URL`, and serves until it is ended by Ctrl-C or SIGTERM.
The script is a JSON list of steps (see `script_file`). With `--by-conversation` each conversation plays its own copy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from holdfast.testing.answers import Step
from holdfast.testing.messages_server import MessagesServer
from holdfast.testing.script import by_conversation
from holdfast.testing.script_file import steps_from_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves a script; returns 0 when ended, 1 when requests came that had to be refused, 2 for a bad script."""
    parser = argparse.ArgumentParser(
        prog="python -m holdfast.testing", description="A scripted model on loopback."
    )
    parser.add_argument("script", type=Path, help="a JSON list of steps")
    parser.add_argument("--by-conversation", action="store_true", help="each conversation plays its own copy")
    options = parser.parse_args(arguments)
    try:
        steps = steps_from_json(json.loads(options.script.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        print(f"{options.script}: {error}", file=sys.stderr)  # noqa: T201 - this is a command
        return 2
    try:
        asyncio.run(_serve(steps, each_conversation=options.by_conversation))
    except AssertionError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is a command
        return 1
    return 0


async def _serve(steps: list[Step], *, each_conversation: bool) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with MessagesServer(by_conversation(steps) if each_conversation else steps) as server:
        print(server.base_url, flush=True)  # noqa: T201 - its output is the address
        await ended.wait()


if __name__ == "__main__":
    sys.exit(main())
