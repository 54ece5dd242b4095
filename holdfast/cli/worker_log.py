"""A worker's log for people: one line an event, on stderr.

What an activity does and how its attempts fail is told here from inside the worker, so the SDK's own report of a
failed attempt, which is a stack trace, is left out; `--verbose` brings both.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from holdfast.cli.rendering.screen import err, one_line, text_of
from holdfast.cli.rendering.words import duration
from holdfast.contracts.base import JsonObject
from holdfast.contracts.names import NOT_STARTED, PLAN, RAISE_ALERT, RESOLVE_AGENT, VET
from holdfast.errors import UsageError

_log = logging.getLogger("holdfast.worker")
_MESSAGE_SHOWN = 300
_REPEATED_AFTER = 60.0
_HTTP = ("httpx", "httpcore", "httpx2", "httpcore2", "urllib3")
_NOISY = ("asyncio", "anthropic", "botocore", "boto3", "temporalio", *_HTTP)
_HARMLESS = (
    "Query not found",  # whoever asked has stopped waiting for the answer
    "leftover buffered tasks",  # a run left the cache while its task was on the way; the server sends it again
)


def say(text: str, *, warning: bool = False) -> None:
    """One line of the log."""
    _log.log(logging.WARNING if warning else logging.INFO, "%s", text)


def log_to_stderr(*, verbose: bool) -> None:
    """Set up logging for a process that is a worker."""
    handler = _Lines(verbose=verbose)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.WARNING)


def runtime_with_quiet_core(*, verbose: bool, metrics: str | None = None) -> Runtime:
    """A runtime whose Rust core logs through Python, so that its lines look like the others.

    With `metrics`, such as `127.0.0.1:9464`, it serves Prometheus there. Raises UsageError: it cannot.
    """
    forwarding = LogForwardingConfig(
        logger=logging.getLogger("temporal.core"),
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=verbose,
    )
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    logs = LoggingConfig(filter=levels, forwarding=forwarding)
    serving = PrometheusConfig(bind_address=metrics) if metrics else None
    try:
        return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=serving))
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"Metrics cannot be served at {metrics!r}: {error}. Name a free address as HOST:PORT, such as 127.0.0.1:9464."
        ) from None


class _Lines(logging.Handler):
    """Time, what happened; colour only on a terminal; a traceback only where one helps."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__()
        self._verbose = verbose
        self._console = err()
        self._said_away = -_REPEATED_AFTER

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._emit(record)
        except Exception:  # noqa: BLE001  # a log line must never end a worker
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("temporalio.activity") and record.exc_info and not self._verbose:
            return  # ActivityLog has said it in one line
        text = record.getMessage()
        if record.name == "temporal.core" and not self._verbose:
            text = self._of_core(text)
            if not text:
                return
        style = (
            "red"
            if record.levelno >= logging.ERROR
            else "yellow"
            if record.levelno >= logging.WARNING
            else ""
        )
        source = "" if record.name.startswith("holdfast") else f"{record.name.split('.')[0]}: "
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        text = one_line(text, None if self._verbose else 500)
        self._console.print(text_of((f"{stamp}  ", "dim"), (source + text, style)), soft_wrap=True)
        if record.exc_info and (self._verbose or record.levelno >= logging.ERROR):
            formatted = logging.Formatter().formatException(record.exc_info)
            print(formatted, file=sys.stderr, flush=True)

    def _of_core(self, text: str) -> str:
        """What the SDK's core says, in words; empty for what nobody can do anything about."""
        if any(harmless in text for harmless in _HARMLESS):
            return ""
        if not re.match("gRPC call .* retried", text):
            return text
        if time.monotonic() < self._said_away + _REPEATED_AFTER:  # each poller says it, again and again
            return ""
        self._said_away = time.monotonic()
        return "the server does not answer; the worker goes on as soon as it does"


class ActivityLog(Interceptor):
    """One line for each attempt that ended: run, what, how, in which time."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Part of the SDK's protocol."""
        return _LogOne(next)


class _LogOne(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # the SDK's name
        info = activity.info()
        what, started = _what(info.activity_type, input.args), time.monotonic()
        run = info.workflow_id or "-"
        try:
            result = await super().execute_activity(input)
        except ApplicationError as error:
            _log.warning("%s", _failed(run, what, info, error))
            raise
        except CancelledError:
            _log.warning("%s  %s attempt %d was cancelled", run, what, info.attempt)
            raise
        except Exception as error:
            _log.error("%s  %s attempt %d: %s: %s", run, what, info.attempt, type(error).__name__, error)
            raise
        if info.activity_type not in (RESOLVE_AGENT, RAISE_ALERT):
            _log.info("%s  %s · %s", run, what, duration(time.monotonic() - started))
        return result


def _failed(run: str, what: str, info: activity.Info, error: ApplicationError) -> str:
    failure: Any = error.details[0] if error.details else {}
    found: JsonObject = failure if isinstance(failure, dict) else {}
    kind = error.type if error.type != NOT_STARTED else f"not started, {found.get('kind', '')}"
    name = str(found.get("error") or "")
    name = "" if name.lower() == error.type else f" {name}"
    allowed = info.retry_policy.maximum_attempts if info.retry_policy and not error.non_retryable else 0
    attempt = f"attempt {info.attempt}" + (f" of {allowed}" if allowed > 1 else "")
    message = one_line(error.message, _MESSAGE_SHOWN).rstrip(".")
    return f"{run}  {what} {attempt} failed ({kind}{name}): {message}"


def _what(activity_type: str, arguments: Any) -> str:
    """`plan 3`, `list_instances 1.2`: from the input, where it can be read."""
    first = arguments[0] if arguments else None
    if isinstance(first, list | tuple):  # a tool takes its input raw
        first = first[0] if first else None
    if activity_type == PLAN:
        return f"plan {getattr(first, 'step', '')}".strip()
    if activity_type == VET:
        return "vet " + ", ".join(call.tool for call in getattr(first, "calls", []))
    payload = getattr(first, "payload", None)
    try:
        given = json.loads(payload.data) if payload is not None else {}
        return f"{activity_type} {given['call']}"
    except (ValueError, KeyError, TypeError):
        return activity_type
