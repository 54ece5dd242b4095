"""`holdfast demo` and `holdfast dev`: what a newcomer runs first."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.command import AsJson, Server, command, help_of
from holdfast.cli.ending import tell
from holdfast.errors import ConnectionFailed, HoldfastError, UsageError

_PANEL = "Begin"
_CHECKOUT = Path(__file__).resolve().parents[2]
"""Where the repository is, if this is not an installed package."""

_DEV_EXAMPLES = """\
  holdfast dev                          until Ctrl-C; runs are kept
  holdfast dev --setup                  sets up the server in use
  holdfast dev --address host:7233      sets up the one you name"""


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""

    def demo(
        keep: Annotated[
            bool, typer.Option("--keep", help="Keep everything running at the end, until Ctrl-C.")
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, as if nobody were there.")] = False,
    ) -> int:
        """See an agent killed in the middle of a call finish all the same.

        Starts the local server and a simulated AWS account, runs the cloud-costs agent with them, and ends
        in about a minute. It needs no key and no account, and changes nothing outside this machine.
        """
        try:
            return _demo(["--keep"] * keep + ["--yes"] * yes)
        except HoldfastError as error:
            return tell(error, as_json=False)

    app.command("demo", help=help_of(demo), rich_help_panel=_PANEL)(demo)

    @command(app, "dev", panel=_PANEL, examples=_DEV_EXAMPLES, queue=False)
    async def dev(
        *,
        server: Server,
        setup: Annotated[
            bool, typer.Option("--setup", help="Start no server: set up the one that is used already.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Run the local Temporal server and its web UI.

        temporal-dev.yaml describes them.
        If a server is named by an option, TEMPORAL_ADDRESS or TEMPORAL_PROFILE, none is started: that one
        gets the namespace and search attributes that it lacks. With --json the server's addresses are printed
        as one JSON object when it is ready, and all else goes to stderr.
        """
        await _dev(server, setup=setup, as_json=as_json)


async def _dev(server: Server, *, setup: bool, as_json: bool) -> None:
    from workers.dev_command import run_dev
    from workers.dev_problems import DevServerError

    def say(text: str) -> None:
        print(text, file=sys.stderr if as_json else sys.stdout, flush=True)

    def ready(state: Any) -> None:
        if as_json:
            print(json.dumps(asdict(state)), flush=True)

    try:
        await run_dev(
            address=server.address,
            namespace=server.namespace,
            profile=server.profile,
            start=not setup,
            say=say,
            on_ready=ready,
        )
    except DevServerError as error:
        raise ConnectionFailed(str(error)) from error


def _demo(options: list[str]) -> int:
    if not (_CHECKOUT / "examples" / "cloud_costs" / "demo.py").is_file():
        raise UsageError(
            "The demo lives in Holdfast's repository, and this is an installed package without it. "
            "Clone the repository and run `make demo` there; `holdfast dev` works anywhere."
        )
    sys.path.insert(0, str(_CHECKOUT))
    try:
        module = importlib.import_module("examples.cloud_costs.demo")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The demo needs {error.name!r}, which is not installed. `make setup` installs what it needs, "
            "and so does: pip install -e '.[demo]'"
        ) from error
    return int(module.main(options))
