"""Carrying a person's decision to the run that asked for it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from holdfast.cli.command import Server
from holdfast.cli.looking import TO_DECIDE, TO_SHOW, Seen, look
from holdfast.cli.rendering.requests import print_request, ways
from holdfast.cli.rendering.screen import line, out, unwrapped
from holdfast.client import Client
from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.requests import Choice, DecisionInput, Request
from holdfast.errors import DecisionRefused, NoWorkerAnswers, UsageError
from policies.decisions import misfit


@dataclass(frozen=True)
class Said:
    """What a person said on the command line."""

    choice: Choice
    request: str | None
    by: str
    note: str = ""
    reason: str = ""
    answer: str = ""
    arguments: JsonObject | None = None
    result: Json = None

    def about(self, request: Request) -> DecisionInput:
        """The decision about exactly this request."""
        return DecisionInput(
            request=request.id, by=self.by, note=self.note, reason=self.reason, answer=self.answer,
            arguments=self.arguments, result=self.result,
        )  # fmt: skip


async def decide(server: Server, run: str, said: Said, *, signal: bool, as_json: bool) -> None:
    """Find the request, show it, and decide it: by validated update, or by signal for later.

    Raises:
        DecisionRefused: There is no such request, or the decision does not fit it; nothing has changed.
        NoWorkerAnswers: No worker is up that could take the decision, and `signal` was not asked for.
    """
    if not said.by.strip():
        raise UsageError("Say who decides by --by NAME, or set HOLDFAST_USER.")
    client = await server.client()
    seen = await look(client, run, patience=TO_SHOW if signal else TO_DECIDE)
    request = _pick(seen, said, server)
    decision = said.about(request)
    if (why := misfit(decision, said.choice, request, seen.view.user)) is not None:
        raise DecisionRefused(f"Not decided: {why}.")
    if seen.offline and not signal:
        raise NoWorkerAnswers(
            f"Not decided: no worker answers for run {run}. Start one (`holdfast worker package.module`), or "
            "add --signal to leave the decision with the server until one is up."
        )
    if not as_json:
        _print_request(request)
    if signal:
        await _leave(client, run, said.choice, decision)
        via = "signal"
    else:
        await _by_update(client, run, request, said)
        via = "update"
    if as_json:
        document = {
            "run": run, "request": request.id, "choice": said.choice, "by": said.by, "via": via,
            "counted": via == "update",
        }  # fmt: skip
        print(json.dumps(document, indent=2))
        return
    _print_decided(server, run, said, request, via)


async def _by_update(client: Client, run: str, request: Request, said: Said) -> None:
    handle = client.run(run)
    match said.choice:
        case "approve":
            await handle.approve(request, by=said.by, note=said.note, arguments=said.arguments)
        case "reject":
            await handle.reject(request, by=said.by, reason=said.reason)
        case "answer":
            await handle.answer(request, said.answer, by=said.by, result=said.result, note=said.note)


async def _leave(client: Client, run: str, choice: Choice, decision: DecisionInput) -> None:
    handle = client.temporal.get_workflow_handle(run)
    await handle.signal(choice, decision.model_dump(mode="json", exclude_defaults=True))


def _pick(seen: Seen, said: Said, server: Server) -> Request:
    """The request that is meant. Raises DecisionRefused, with what could be meant instead."""
    run, found = seen.view.run, seen.requests
    if seen.status in ("completed", "partial", "failed", "cancelled", "terminated", "timed_out"):
        raise DecisionRefused(f"Not decided: run {run} has ended ({seen.status}) and asks nothing.")
    if not found:
        raise DecisionRefused(
            f"Not decided: run {run} asks nothing now; it is {seen.status}. "
            f"`holdfast show {shlex.quote(run)} --follow` shows what it does."
        )
    if said.request is None:
        fitting = [one for one in found if said.choice in one.choices]
        if len(fitting) == 1:
            return fitting[0]
        candidates = fitting or found
        if len(found) == 1:
            return found[0]  # it does not fit, and `misfit` says what would
    else:
        exact = next((one for one in found if one.id == said.request), None)
        if exact is not None:
            return exact
        candidates = found
    asked = f"there is no open request {said.request!r}" if said.request else "say which request is meant"
    commands = [ways(one, by=said.by, flags=server.flags)[0].command for one in candidates]
    raise DecisionRefused(
        "\n".join([f"Not decided: {asked}. Open in run {run}:", *(f"  {one}" for one in commands)])
    )


def _print_request(request: Request) -> None:
    print_request(out(), request, by="", commands=False)


def _print_decided(server: Server, run: str, said: Said, request: Request, via: str) -> None:
    console = out()
    verb = {"approve": "approved", "reject": "rejected", "answer": "answered"}[said.choice]
    left = " (left by signal: it counts when a worker is up)" if via == "signal" else ""
    line(console, (f"{verb} by {said.by}", "bold green" if said.choice != "reject" else "bold red"), left)
    line(console, _effect(said, request, "then" if via == "signal" else "now"), indent=2)
    unwrapped(console, "  ", (f"holdfast show {shlex.quote(run)} --follow{server.flags}", "cyan"))


def _effect(said: Said, request: Request, when: str) -> str:
    """What follows from the decision, in a sentence."""
    match said.choice, request.kind:
        case "approve", _:
            how = f"{when}, with the changed arguments" if said.arguments is not None else when
            return f"{request.tool} is {'simulated' if request.dry_run else 'called'} {how}."
        case "reject", "question":
            return "The agent is told that it gets no answer, and why."
        case "reject", _:
            return f"{request.tool} is not called, and the agent is told why."
        case "answer", "question":
            return "The agent is told the answer."
        case "answer", "takeover" if said.answer == "finish":
            return "The run ends with this result." if said.result is not None else "The run ends as partial."
        case _:
            return {
                "happened": f"{request.tool} counts as done; it is not called again.",
                "run": f"{request.tool} is called again.",
                "skip": f"{request.tool} is left as it is; the agent is told that nobody knows.",
                "raise": "The run goes on.",
                "plan": "The run makes these calls.",
                "finish": "The run ends with what there is.",
                "pass": "The better planners are asked again.",
                "redrive": "The run goes on from where it stopped.",
                "discard": "The run ends as failed.",
            }[said.answer]
