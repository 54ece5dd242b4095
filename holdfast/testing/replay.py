"""Replay for your tests: does today's code still carry on the runs that were recorded?

async def test_the_refund_of_last_release_still_replays():
    await assert_replays(Path("tests/histories/refund.json"))
"""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporalio.client import WorkflowHandle, WorkflowHistory

from holdfast.errors import UsageError
from holdfast.run import Run

if TYPE_CHECKING:
    from workers.replay import ReplayReport

__all__ = ["assert_replays", "load_history"]


async def assert_replays(
    what: Run[Any] | WorkflowHandle[Any, Any] | WorkflowHistory | Path | str, *, same_inputs: bool = False
) -> ReplayReport:
    """Replay a run against today's engine, offline, in the strict sandbox; returns what was found.

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

    history = await _history_of(what)
    report = await replay(history)
    if not report.ok or (same_inputs and report.changed):
        raise AssertionError(f"The history of {history.workflow_id} does not replay: {report}")
    return report


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


async def _history_of(what: Any) -> WorkflowHistory:
    if isinstance(what, WorkflowHistory):
        return what
    if isinstance(what, Run):
        return await what._handle.fetch_history()  # noqa: SLF001  # the test kit is of one house with the client
    if isinstance(what, WorkflowHandle):
        return await what.fetch_history()
    return load_history(what)
