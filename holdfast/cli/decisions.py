"""`holdfast inbox`, `approve`, `reject` and `answer`: what runs ask of people, and what people say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, by_option, command, default_user
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.contracts.base import Json, JsonObject

_PANEL = "People"

_INBOX_EXAMPLES = """\
  holdfast inbox                what all runs ask, oldest first
  holdfast inbox --by finops    what is asked of finops"""

_APPROVE_EXAMPLES = """\
  holdfast approve ticket-88             its only open request
  holdfast approve ticket-88 --signal    no worker is up: it counts later
  holdfast approve ticket-88 2.1-approval-9f2c --by dana --note "agreed"
  holdfast approve ticket-88 --arguments '{"instance_id": "i-7"}'"""

_REJECT_EXAMPLES = """\
  holdfast reject ticket-88 --reason "that one is the build server" """

_ANSWER_EXAMPLES = """\
  holdfast answer ticket-88 "only the staging account"
  holdfast answer ticket-88 happened --result '{"id": 7}'
  holdfast answer ticket-88 run        it did not happen: run the call
  holdfast answer ticket-88 skip       leave it; the agent is told
  holdfast answer ticket-88 redrive    a parked run goes on
  holdfast answer ticket-88 discard    a parked run is ended
  holdfast answer ticket-88 raise      a run at its limit goes on
  holdfast answer ticket-88 plan --result '[{"tool": "look", "arguments": {}}]'"""

By = Annotated[
    str,
    by_option("Who decides"),
]
RequestId = Annotated[
    str | None,
    typer.Argument(metavar="REQUEST", help="Which request, if several are open.", show_default=False),
]
BySignal = Annotated[
    bool,
    typer.Option("--signal", help="Leave the decision with the server: it counts as soon as a worker is up."),
]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Kept with the decision.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""

    @command(app, "inbox", panel=_PANEL, examples=_INBOX_EXAMPLES)
    async def inbox(
        *,
        server: Server,
        by: Annotated[
            str | None, typer.Option("--by", metavar="ROLE", help="Only what is asked of this role.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Show what runs ask of people, with the commands that answer.

        Runs that no worker serves now are looked at through their history.
        """
        await _inbox(server, by=by, as_json=as_json)

    @command(app, "approve", panel=_PANEL, examples=_APPROVE_EXAMPLES)
    async def approve(
        *,
        server: Server,
        run: RunId,
        request: RequestId = None,
        by: By,
        note: Note = "",
        arguments: Annotated[
            str | None,
            typer.Option(metavar="JSON", help="Run the call with these arguments instead; they are checked."),
        ] = None,
        signal: BySignal = False,
        as_json: AsJson = False,
    ) -> None:
        """Approve exactly what a request shows.

        That is this tool, these arguments and this version of the agent.
        """
        from holdfast.cli.deciding import Said, decide

        said = Said("approve", request, by, note=note, arguments=_object(arguments, "--arguments"))
        await decide(server, run, said, signal=signal, as_json=as_json)

    @command(app, "reject", panel=_PANEL, examples=_REJECT_EXAMPLES)
    async def reject(
        *,
        server: Server,
        run: RunId,
        request: RequestId = None,
        by: By,
        reason: Annotated[str, typer.Option(metavar="TEXT", help="What the agent is told.")] = "",
        note: Note = "",
        signal: BySignal = False,
        as_json: AsJson = False,
    ) -> None:
        """Reject a request: it is not done, and the agent is told why."""
        from holdfast.cli.deciding import Said, decide

        if not reason.strip():
            raise UsageError("Say why by --reason: the agent is told, and may do better.")
        said = Said("reject", request, by, reason=reason, note=note)
        await decide(server, run, said, signal=signal, as_json=as_json)

    @command(app, "answer", panel=_PANEL, examples=_ANSWER_EXAMPLES)
    async def answer(
        *,
        server: Server,
        run: RunId,
        words: Annotated[
            list[str],
            typer.Argument(
                metavar="[REQUEST] ANSWER",
                help="The answer, in quotes if it has spaces; before it which request, if several are open.",
                show_default=False,
            ),
        ],
        by: By,
        result: Annotated[
            str | None,
            typer.Option(
                metavar="JSON",
                help="With happened: what the call returned. With raise: the new limits. With plan: the calls.",
            ),
        ] = None,
        note: Note = "",
        signal: BySignal = False,
        as_json: AsJson = False,
    ) -> None:
        """Answer a question, or say what to do with a stuck call or run.

        Free text for a question; happened, run or skip for a call of which nobody knows whether it took
        effect; redrive or discard for a parked run; raise or finish for a run at its limit; plan, finish or
        pass for a run that asks a person to plan.
        """
        from holdfast.cli.deciding import Said, decide

        if len(words) > 2:
            raise UsageError("Put the answer in quotes: holdfast answer RUN [REQUEST] 'THE ANSWER'")
        request = words[0] if len(words) == 2 else None
        said = Said("answer", request, by, answer=words[-1], result=_json(result, "--result"), note=note)
        await decide(server, run, said, signal=signal, as_json=as_json)


async def _inbox(server: Server, *, by: str | None, as_json: bool) -> None:
    from holdfast.cli.looking import look_at_all

    client = await server.client()
    found = await look_at_all(client, [run.run for run in await client.waiting()])
    requests = [request for request in found.requests if by is None or request.asks(by)]
    if as_json:
        print(json.dumps([request.model_dump(mode="json") for request in requests], indent=2))
    from holdfast.cli.rendering.requests import print_inbox
    from holdfast.cli.rendering.screen import err, line, out

    if not as_json and requests:
        print_inbox(out(), requests, by=default_user(), flags=server.flags)
    elif not as_json and not found.unknown:
        line(err(), "Nothing is asked of anyone." if by is None else f"Nothing is asked of {by}.")
    if found.offline and not as_json:
        one = len(found.offline) == 1
        runs = "1 run has" if one else f"{len(found.offline)} runs have"
        told = (
            f"{runs} no worker that answers; what is asked was read from history. "
            "Start one (holdfast worker package.module), or decide with --signal for later."
        )
        line(err(), (told, "yellow"))
    if found.unknown:
        line(
            err(),
            (f"Could not be looked at: {', '.join(found.unknown)}. `holdfast show` says why.", "yellow"),
        )


def _json(text: str | None, option: str) -> Json:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is not valid JSON: {error}. Quote it for the shell: '{{…}}'.") from None


def _object(text: str | None, option: str) -> JsonObject | None:
    value = _json(text, option)
    if value is not None and not isinstance(value, dict):
        raise UsageError(f'{option} takes a JSON object, such as \'{{"instance_id": "i-7"}}\'.')
    return value
