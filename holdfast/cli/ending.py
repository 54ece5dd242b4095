"""How a command ends: its exit code, and one line for a mistake instead of a stack trace."""

from __future__ import annotations

import json
import os
import sys
import traceback

from holdfast.errors import ConnectionFailed, HoldfastError, NoWorkerAnswers, RunNotCompleted, UsageError

OK = 0
NOT_COMPLETED = 1
MISTAKE = 2
NOBODY_ANSWERS = 3
BUG = 70
RESTART = 75
INTERRUPTED = 130

EXIT_CODES = """\
[bold]Exit codes[/bold]
  0   ok
  1   the run ended, but not completed; or a replay disagrees, or the doctor found a problem
  2   the command, or what it names, must be changed
  3   no server answers, or no worker
  70  a bug in Holdfast; HOLDFAST_DEBUG=1 shows where
  75  the worker has reached its --max-memory: start it again"""


def tell(error: BaseException, *, as_json: bool) -> int:
    """Says on stderr what went wrong and what to do about it, and returns the exit code."""
    known = _from_server(error)
    code, message = _code_of(known), _message_of(known)
    if code == BUG and os.environ.get("HOLDFAST_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        kind = type(known).__name__
        print(json.dumps({"error": message, "kind": kind, "exit_code": code}), file=sys.stderr)
        return code
    from holdfast.cli.rendering.screen import err, line

    line(err(), ("error: ", "bold red"), (message, "red"))
    return code


def _code_of(error: BaseException) -> int:
    if isinstance(error, ConnectionFailed | NoWorkerAnswers):
        return NOBODY_ANSWERS
    if isinstance(error, RunNotCompleted):
        return NOT_COMPLETED
    if isinstance(error, HoldfastError):
        return MISTAKE
    return int(getattr(error, "exit_code", BUG))  # typer's errors know their own


def _message_of(error: BaseException) -> str:
    if isinstance(error, HoldfastError):
        return str(error)
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        name = context.command_path if context is not None else "holdfast"
        return f"{error.format_message().rstrip('.')}. `{name} --help` says what is valid."
    return f"{type(error).__name__}: {error} This is a bug in Holdfast: HOLDFAST_DEBUG=1 shows where."


def _from_server(error: BaseException) -> BaseException:
    """What the server itself refused, in words; every other error as it is."""
    service = sys.modules.get("temporalio.service")
    if service is None or not isinstance(error, service.RPCError):
        return error
    from holdfast.connection import server_failed

    if (failed := server_failed(error)) is not None:
        return failed
    message, status = str(error).strip().rstrip("."), error.status.name
    if status == "NOT_FOUND" and "amespace" in message:
        return UsageError(
            f"{message}. Name one that exists by --namespace; `holdfast dev` registers its own."
        )
    if status == "INVALID_ARGUMENT" and ("column name" in message or "earch attribute" in message):
        return UsageError(
            f"This namespace does not index runs yet: {message}. `holdfast worker`, or `holdfast dev` with "
            "this --address, adds the search attributes."
        )
    return UsageError(f"The Temporal server refused this: {message}.")
