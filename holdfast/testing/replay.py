"""Replay for your tests: does today's code still carry on the runs that were recorded?

async def test_the_refund_of_last_release_still_replays():
    await assert_replays(Path("tests/histories/refund.json"))
"""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowHandle, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from holdfast.errors import UsageError
from holdfast.run import Run

if TYPE_CHECKING:
    from workers.replay import ReplayReport

__all__ = ["assert_replays", "load_history"]


async def assert_replays(
    what: Run[Any] | WorkflowHandle[Any, Any] | WorkflowHistory | Path | str, *, same_inputs: bool = False
) -> ReplayReport:
    """Replay a run against today's engine, offline, in the strict sandbox; returns what was found.

    Of a run that has gone on in several executions, all that the server keeps are replayed; the last one's report
    is returned.

    Args:
        what: A run, its workflow handle, its history, or the path of a history exported as JSON
            (`temporal workflow show -w RUN -o json`).
        same_inputs: Also fail when an activity would get another input than was recorded, which a run
            survives but its effects may not.

    Raises:
        AssertionError: Today's code decides otherwise than was recorded; the message names event and reason.
        UsageError: There is no such history, or it is not a run's.
    """
    from workers.replay import replay  # the engine is loaded by those who replay, not by every test

    found = await _histories_of(what)
    reports = [await replay(history) for history in found]
    for number, (history, report) in enumerate(zip(found, reports, strict=True), start=1):
        if not report.ok or (same_inputs and report.changed):
            which = f" (execution {number} of {len(found)})" if len(found) > 1 else ""
            raise AssertionError(f"The history of {history.workflow_id}{which} does not replay: {report}")
    return reports[-1]


def load_history(path: Path | str) -> WorkflowHistory:
    """The history in a file that `temporal workflow show -o json`, the UI or `to_json()` wrote.

    Raises:
        UsageError: The file is not there, or holds no history.
    """
    path = Path(path)
    try:
        return WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The history {path} cannot be read: {error.strerror}.") from None
    except Exception as error:  # noqa: BLE001  # a file can hold anything
        raise UsageError(
            f"{path} holds no workflow history ({error}). Export one by `temporal workflow show -w RUN -o json`."
        ) from None


def without_traces(history: WorkflowHistory) -> str:
    """The history as one line of JSON, without the folders, hosts and processes that made it: for a repository.

    What the run itself said and did stays: look at it before you publish it.
    """
    found = json.loads(history.to_json())
    _forget_identities(found)
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    for folder, name in (
        (sysconfig.get_paths()["purelib"], "site-packages"),
        (sysconfig.get_paths()["stdlib"], "python"),
        (str(Path.cwd()), "here"),
        (str(Path.home()), "home"),
    ):
        text = text.replace(json.dumps(folder)[1:-1] + "/", f"{name}/")
    return text


def _forget_identities(value: Any) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "identity" and isinstance(one, str):
                value[key] = "recorded"
            else:
                _forget_identities(one)
    elif isinstance(value, list):
        for one in value:
            _forget_identities(one)


async def histories_of(temporal: TemporalClient, run: str) -> tuple[list[WorkflowHistory], bool]:
    """The histories of a run's executions, oldest first, and whether that is all of them.

    The server deletes a closed execution after the retention of its namespace.
    """
    found: list[WorkflowHistory] = []
    execution: str | None = None
    while True:
        try:
            history = await temporal.get_workflow_handle(run, run_id=execution).fetch_history()
        except RPCError as error:
            if found and error.status == RPCStatusCode.NOT_FOUND:
                return found, False
            raise
        found.insert(0, history)
        execution = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not execution:
            return found, True


async def _histories_of(what: Any) -> list[WorkflowHistory]:
    if isinstance(what, WorkflowHistory):
        return [what]
    if isinstance(what, Run):
        return (await histories_of(what._temporal, what.id))[0]  # noqa: SLF001  # of one house with the client
    if isinstance(what, WorkflowHandle):
        return [await what.fetch_history()]
    return [load_history(what)]
