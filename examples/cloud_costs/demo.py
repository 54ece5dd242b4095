"""Watch an agent survive: `make demo`, or `python -m examples.cloud_costs.demo`. It takes about half a minute.

A real Temporal server, real worker processes, and boto3 against a stand-in AWS account on this machine. The worker is
killed in the middle of a write, another one goes on, a person approves, and AWS is asked what really happened. Nothing
leaves this machine, except questions to Claude when ANTHROPIC_API_KEY is set.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine
from typing import Any

from temporalio.exceptions import TemporalError

from examples.cloud_costs.demo_approval import USER, approver, decide
from examples.cloud_costs.demo_crash import WRITE, kill_in_the_middle, tell_survival
from examples.cloud_costs.demo_processes import FOLDER, DemoFailed
from examples.cloud_costs.demo_proof import account_after_undo, findings, show_end
from examples.cloud_costs.demo_screen import Screen
from examples.cloud_costs.demo_stage import Stage, set_up
from holdfast.client import Run
from holdfast.contracts.requests import Request
from holdfast.contracts.run import RunEvent, RunOutcome
from holdfast.errors import HoldfastError

TASK = "Cut our spend in eu-west-1"

_SILENCE = 180.0  # seconds without any news of the run, after which the demo gives up
_POLL = 0.3  # seconds between looks at the workers' processes


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo. Returns 0 when all went as promised, 1 when it did not, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.cloud_costs.demo", description="Watch an agent survive."
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep everything running at the end, until Ctrl-C"
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing, as if nobody were at a terminal")
    options = parser.parse_args(arguments)
    screen = Screen()
    try:
        return asyncio.run(_demo(screen, keep=options.keep, asks=screen.asks and not options.yes))
    except KeyboardInterrupt:  # a second Ctrl-C, while the first one's cleaning up was under way
        return 130


async def _demo(screen: Screen, *, keep: bool, asks: bool) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # asyncio.run made it
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        screen.heading("An agent cuts the costs of an AWS account, and its worker dies on the way")
        async with set_up(screen) as stage:
            outcome = await _story(stage, asks=asks)
            await _end(stage, outcome, keep=keep, asks=asks)
            screen.wait_for("stopping everything")
    except asyncio.CancelledError:
        screen.rest()
        screen.say("Stopped before the end. Nothing is left running.", "yellow")
        return 130
    except (DemoFailed, HoldfastError, TemporalError, OSError, RuntimeError) as error:
        screen.heading("The demo failed")
        screen.say(str(error), "red")
        screen.explain(f"The logs of its processes are in {FOLDER}.")
        return 1
    finally:
        screen.rest()
        await asyncio.sleep(0.05)  # the Temporal client's threads may abort a process that ends at once
    screen.say("Everything is stopped.")
    return 0


async def _story(stage: Stage, *, asks: bool) -> RunOutcome:
    """The run, from its start to its report."""
    screen = stage.screen
    stage.wire.hold(WRITE)
    screen.heading(f"The run: “{TASK}”")
    run = await stage.client.start(
        "cloud-costs", TASK, id=f"cost-{stage.client.task_queue}", user=USER, dry_run=False
    )
    screen.say(f"Started for {USER} with dry_run=False: what it decides, it does")
    screen.link(stage.stack.page_of(run.id) or run.id)
    screen.wait_for("worker 1 is starting")
    try:
        await _while_watched(_follow(stage, run, asks=asks), _watch(stage), kill_in_the_middle(stage, run))
        outcome = await run.outcome()
    except BaseException:
        # Nobody will ever serve its task queue again.
        with contextlib.suppress(Exception):
            await stage.client.temporal.get_workflow_handle(run.id).terminate("the demo was stopped")
        raise
    if len(stage.workers) == 1:
        screen.explain("It took no snapshot this time, so there was no write in which to kill its worker.")
    assert stage.journal is not None  # noqa: S101  # set_up filled the account
    found = await asyncio.to_thread(findings, outcome.effects, stage.journal)
    screen.heading("The report")
    show_end(screen, outcome, found)
    return outcome


async def _follow(stage: Stage, run: Run[Any], *, asks: bool) -> None:
    """Shows what happens until the run has ended, and has its requests decided.

    A request is brought up once the calls beside it have ended: they do not wait for it, and are shown first.
    """
    open_requests: dict[str, Request] = {}
    async for event in run.events():
        stage.heard = time.monotonic()
        stage.screen.event(event)
        _note(stage, event, open_requests)
        while open_requests and set(stage.under_way) <= {one.call for one in open_requests.values()}:
            _, request = open_requests.popitem()
            stage.screen.heading("A person decides")
            stage.heard = float("inf")  # people may take their time
            await decide(stage.screen, stage.commands, run, request, ask=asks)
            stage.heard = time.monotonic()
            stage.under_way.pop(request.call or "", None)
        stage.screen.wait_for("the run goes on")


def _note(stage: Stage, event: RunEvent, open_requests: dict[str, Request]) -> None:
    match event.kind:
        case "call":
            stage.under_way[str(event.data["id"])] = str(event.data["tool"])
        case "result":
            stage.under_way.pop(str(event.data["id"]), None)
            tell_survival(stage, str(event.data["id"]))
        case "request":
            open_requests[str(event.data["id"])] = Request.model_validate(event.data)
        case "decision":
            open_requests.pop(str(event.data["request"]), None)
        case _:
            pass


async def _watch(stage: Stage) -> None:
    """Raises DemoFailed when a worker ends that nobody killed, or when nothing happens any more."""
    while True:
        for worker in stage.workers:
            worker.check()
        if time.monotonic() - stage.heard > _SILENCE:
            raise DemoFailed(
                f"Nothing has happened for {_SILENCE:.0f} seconds; the workers' logs may say why."
            )
        await asyncio.sleep(_POLL)


async def _while_watched(main: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    """Waits for the first one; raises what any of them raises, and ends the others with it."""
    first = asyncio.ensure_future(main)
    tasks = [first, *map(asyncio.ensure_future, others)]
    try:
        pending = set(tasks)
        while not first.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end(stage: Stage, outcome: RunOutcome, *, keep: bool, asks: bool) -> None:
    """Leaves the person as long as they want with the UI, the run, and its undo."""
    screen, stack, shown = stage.screen, stage.stack, stage.commands.shown
    undo = ["undo", outcome.run, "--by", approver()]
    screen.heading("Afterwards")
    screen.explain("Every step, with its arguments and results:")
    screen.link(stack.page_of(outcome.run) or shown("holdfast", "show", outcome.run))
    screen.explain("Undo, last write first, while a worker is up:")
    screen.command(shown("holdfast", *undo))
    if stack.database and not stack.already_there:
        screen.explain("All of it is kept, and can be looked at again:")
        screen.command(stage.commands.as_typed("holdfast") + " dev")
    if keep:
        screen.say(f"Everything stays up. Ctrl-C, or `kill {os.getpid()}`, stops it.", "bold")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if task := asyncio.current_task():
            task.uncancel()
        return
    while asks and (await screen.read("Enter stops everything; u undoes what it did:") or "").lower() == "u":
        screen.quote(await stage.commands.run("holdfast", *undo))
        screen.say(await asyncio.to_thread(account_after_undo, outcome.effects), "bold green")


if __name__ == "__main__":
    raise SystemExit(main())
