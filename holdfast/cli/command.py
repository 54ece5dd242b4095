"""What all commands share: the server options, `--json`, and how an async function becomes a command."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import shlex
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli.ending import INTERRUPTED, OK, tell
from holdfast.contracts.names import TASK_QUEUE

if TYPE_CHECKING:
    from holdfast.client import Client

_PANEL = "Server"

Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Temporal server (TEMPORAL_ADDRESS, else the profile's, else the dev server of this folder).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        metavar="NAME",
        help="Namespace of the server (TEMPORAL_NAMESPACE, else the profile's, else default).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Profile of temporal.toml: address, namespace, TLS, API key (TEMPORAL_PROFILE).",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
TaskQueue = Annotated[
    str,
    typer.Option(
        "--task-queue",
        metavar="NAME",
        envvar="HOLDFAST_TASK_QUEUE",
        help="Where runs find their workers.",
        rich_help_panel=_PANEL,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print data for programs: JSON on stdout, and nothing else.")
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.", show_default=False)]


@dataclass(frozen=True)
class Server:
    """The server options of a command, as they were given."""

    address: str | None = None
    namespace: str | None = None
    profile: str | None = None
    task_queue: str = TASK_QUEUE

    async def client(self) -> Client:
        """Connect. Raises ConnectionFailed."""
        from holdfast.client import Client

        silence_core()
        return await Client.connect(
            self.address, namespace=self.namespace, profile=self.profile, task_queue=self.task_queue
        )

    @property
    def flags(self) -> str:
        """The options to repeat in a command that is printed, so that it can be run as it is."""
        given = [
            ("--address", self.address),
            ("--namespace", self.namespace),
            ("--profile", self.profile),
            ("--task-queue", self.task_queue if self.task_queue != TASK_QUEUE else None),
        ]
        return "".join(f" {name} {shlex.quote(value)}" for name, value in given if value)

    def ui_url(self, run: str) -> str | None:
        """The run's page in Temporal's UI, where that is known: on the dev server."""
        from holdfast.connection import find_target
        from holdfast.dev_state import find_dev_server

        target, state = find_target(self.address, self.namespace, self.profile), find_dev_server()
        if state is None or state.ui_url is None or state.address != target.address:
            return None
        return f"{state.ui_url}/namespaces/{quote(target.namespace)}/workflows/{quote(run, safe='')}"


def silence_core() -> None:
    """Keep the log of the SDK's core, which it writes to stdout, out of what a command prints."""
    from temporalio.runtime import Runtime, TelemetryConfig

    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)), error_if_already_set=False)


def default_user() -> str:
    """Who decides when no `--by` says so: $HOLDFAST_USER, else $USER; empty when neither is set."""
    return os.environ.get("HOLDFAST_USER") or os.environ.get("USER") or ""


def by_option(who: str) -> Any:
    """The option `--by`; `who` says in its help what the named person does."""
    return typer.Option(
        "--by",
        metavar="NAME",
        help=f"{who}; without it $HOLDFAST_USER, else $USER.",
        default_factory=default_user,
        show_default=False,
    )


_SERVER_OPTIONS = (("address", Address, None), ("namespace", Namespace, None), ("profile", Profile, None))


def command(
    app: typer.Typer, name: str, *, panel: str, examples: str = "", queue: bool = True, fast: bool = False
) -> Callable[[Callable[..., Coroutine[Any, Any, int | None]]], Callable[..., int]]:
    """Registers an async function as a command; it returns its exit code, None for 0.

    Its parameters are keywords. `server: Server` becomes the server options; with `queue=False` without
    `--task-queue`. `fast` is for what runs long: it uses uvloop where that is installed. Errors are told by
    `ending.tell`.
    """
    options: list[tuple[str, Any, Any]] = list(_SERVER_OPTIONS)
    if queue:
        options.append(("task_queue", TaskQueue, TASK_QUEUE))

    def register(function: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., int]:
        @functools.wraps(function)
        def run(**given: Any) -> int:
            server = Server(**{key: given.pop(key) for key, *_ in options})
            as_json = bool(given.get("as_json"))
            return run_to_its_end(lambda: function(server=server, **given), as_json=as_json, fast=fast)

        signature = inspect.signature(function, eval_str=True)
        own = [one for one in signature.parameters.values() if one.name != "server"]
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, annotation, default in options
        ]
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]  # typer reads it
        shown = examples.replace("[", "\\[")  # not markup
        epilog = f"\n[bold]Examples[/bold]\n{shown}" if examples else None
        return app.command(name, help=help_of(function), epilog=epilog, rich_help_panel=panel)(run)

    return register


def confirm(question: str) -> None:
    """Asks the person at the terminal; anything but a yes, Ctrl-C included, ends the command with code 130."""
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # the event loop's would wait for the answer
    try:
        agreed = typer.confirm(question)
    except typer.Abort:
        agreed = False
    finally:
        signal.signal(signal.SIGINT, before)
    if not agreed:
        print("Nothing was done.", file=sys.stderr)
        raise KeyboardInterrupt


def help_of(function: Callable[..., Any]) -> str:
    """The docstring as help: each paragraph one line, for the screen's own width to break."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs)


def run_to_its_end(
    work: Callable[[], Coroutine[Any, Any, int | None]], *, as_json: bool, fast: bool = False
) -> int:
    """Runs a command's coroutine, and turns whatever it raises into words and an exit code."""
    try:
        with asyncio.Runner(loop_factory=_fast_loop() if fast else None) as runner:
            return runner.run(work()) or OK
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has what it wanted
        return OK
    except Exception as error:  # noqa: BLE001  # a command ends with a sentence, whatever happens
        return tell(error, as_json=as_json)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
