"""How the demo has its run's requests decided: by the person at the terminal, else by the commands that it shows."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

from rich.table import Table

from examples.cloud_costs.demo_processes import Commands, DemoFailed
from examples.cloud_costs.demo_screen import Screen
from holdfast.client import Run
from holdfast.contracts.requests import Request

USER = "ana"
"""On whose behalf the demo's run acts. She cannot approve it herself."""

_POLL = 0.5  # seconds between looks whether somebody else has decided meanwhile

AnswerT = TypeVar("AnswerT")


async def decide(screen: Screen, commands: Commands, run: Run[Any], request: Request, *, ask: bool) -> None:
    """Has one request decided. Raises DemoFailed for a kind that only somebody who knows more can decide."""
    if request.kind not in ("approval", "question"):
        raise DemoFailed(
            f"The run needs help: {request.why}\nKeep the demo up with --keep, look at it with "
            f"`{commands.shown('holdfast', 'show', run.id)}`, and answer as it says."
        )
    _show(screen, request)
    argv = _approval(run, request) if request.kind == "approval" else _answer(run, request)
    screen.explain("From any terminal:")
    screen.command(commands.shown("holdfast", *argv))
    if request.kind == "approval":
        screen.command(commands.shown("temporal", *_signal(run, request)))
    if ask:
        typed = await _unless_decided(run, request, _ask(screen, commands, run, request))
        if typed is None:
            screen.say("Decided elsewhere.")
            return
        argv = typed
    else:
        screen.say("Nobody is at a terminal here, so the demo runs the first one:")
    with screen.waiting("holdfast " + argv[0]):
        said = await commands.run("holdfast", *argv)
    screen.quote(_last_words(said))


def _last_words(said: str) -> str:
    """What a command says at its end, without what it repeats of the request and which command could follow."""
    lines = [line for line in said.splitlines() if not line.strip().startswith("holdfast ")]
    begins = [number for number, line in enumerate(lines) if line[:1].strip()]
    return "\n".join(lines[begins[-1] :] if begins else lines)


def approver() -> str:
    """Who decides: the person who runs the demo."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = "dana"
    return name if name != USER else "dana"


def _approval(run: Run[Any], request: Request) -> list[str]:
    return ["approve", run.id, request.id, "--by", approver()]


def _answer(run: Run[Any], request: Request, answer: str = "Use your own judgement.") -> list[str]:
    return ["answer", run.id, request.id, answer, "--by", approver()]


def _signal(run: Run[Any], request: Request) -> list[str]:
    body = json.dumps({"request": request.id, "by": approver()})
    return ["workflow", "signal", "--workflow-id", run.id, "--name", "approve", "--input", body]


def _show(screen: Screen, request: Request) -> None:
    screen.say(request.why, "bold yellow")
    screen.explain("Waiting takes no worker and no polling, be it for a month.")
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (request.arguments or {}).items():
        shown = f"{value}  {screen.name(value)}" if name == "instance_id" else str(value)
        if value is not None:
            table.add_row(name, shown)
    if request.tool is not None:
        table.add_row("can be undone", "yes" if request.reversible else "no")
    if request.deadline:
        table.add_row("denied if unanswered by", request.deadline[:16].replace("T", " ") + " UTC")
    screen.table(table)


async def _ask(screen: Screen, commands: Commands, run: Run[Any], request: Request) -> list[str]:
    """What the person at the terminal wants done, as the arguments of `holdfast`."""
    if request.kind == "question":
        answer = await screen.read("Your answer (Enter: use your own judgement):")
        return _answer(run, request, answer) if answer else _answer(run, request)
    while True:
        typed = await screen.read("[a]pprove, [r]eject, or [s]how the run so far? (Enter approves)")
        match (typed or "a").lower()[:1]:
            case "a" | "y":
                return _approval(run, request)
            case "r" | "n":
                reason = await screen.read("Why not? The agent is told:")
                return ["reject", run.id, request.id, "--by", approver(), "--reason", reason or "not now"]
            case "s":
                await commands.show("holdfast", "show", run.id)
            case _:
                screen.explain("Type a, r or s, and Enter.")


async def _unless_decided(
    run: Run[Any], request: Request, asking: Coroutine[Any, Any, AnswerT]
) -> AnswerT | None:
    """What is typed here, or None when the request is decided in another terminal or in the UI before."""
    here = asyncio.ensure_future(asking)
    try:
        while True:
            done, _ = await asyncio.wait({here}, timeout=_POLL)
            if done:
                return here.result()
            if all(one.id != request.id for one in await run.requests()):
                return None
    finally:
        here.cancel()
        await asyncio.gather(here, return_exceptions=True)
