"""Sending alerts to a webhook, and where a worker's settings say that it is."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast, get_args
from urllib.parse import urlsplit

from temporalio import activity
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from activities.failing import application_error
from holdfast.contracts import names, user_metadata
from holdfast.contracts.alerts import Alert, AlertFormat, AlertOutcome
from holdfast.contracts.calls import Failure
from holdfast.errors import UsageError
from policies import alerts

if TYPE_CHECKING:
    import httpx2

WEBHOOK = "HOLDFAST_ALERT_WEBHOOK"
FORMAT = "HOLDFAST_ALERT_FORMAT"
QUIET_SECONDS = "HOLDFAST_ALERT_QUIET_SECONDS"

TIMEOUT_SECONDS = 10.0
MAX_RETRY_AFTER = 60.0
MAX_QUEUE_CHARS = 200
"""The server refuses a long id."""
_SHOWN_CHARS = 200
_TRY_AGAIN = (408, 425, 429)

_log = logging.getLogger("holdfast.parked")


@dataclass(frozen=True)
class AlertSettings:
    """Where alerts go. Raises UsageError for what cannot be meant.

    Args:
        webhook: An `http(s)` URL that takes a POST; None: no alert is sent, and the log alone tells. Whoever
            knows the URL can post there, so it is never logged.
        format: `json`: the fields of the alert; `slack`: one text, for Slack's incoming webhooks, Mattermost and
            Rocket.Chat. None: `slack` for a URL at hooks.slack.com, else `json`.
        quiet_seconds: After an alert, no other is sent for so long about the same cause.
    """

    webhook: str | None = None
    format: AlertFormat | None = None
    quiet_seconds: float = 3600.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.webhook is not None and not _is_address(self.webhook):
            raise UsageError(
                f"The alert webhook ({WEBHOOK}) must be a URL such as https://hooks.slack.com/services/…"
            )
        if self.format not in (None, *get_args(AlertFormat)):
            raise UsageError(f"The format of alerts ({FORMAT}) is json or slack, not {self.format!r}.")
        if not 0 <= self.quiet_seconds <= 365 * 86_400:
            raise UsageError(
                f"Seconds between alerts of one cause ({QUIET_SECONDS}) are 0 to a year, such as 3600."
            )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> AlertSettings:
        """What the variables `HOLDFAST_ALERT_…` say. Raises UsageError."""
        env = os.environ if environ is None else environ
        given = env.get(QUIET_SECONDS) or "3600"
        try:
            quiet = float(given)
        except ValueError:
            quiet = -1.0  # refused like any other that cannot be
        form = cast("AlertFormat | None", env.get(FORMAT) or None)
        return cls(env.get(WEBHOOK) or None, form, quiet)

    @property
    def host(self) -> str:
        """Where alerts go, as it may be shown: the URL's path is a secret."""
        return urlsplit(self.webhook or "").hostname or ""

    @property
    def used_format(self) -> AlertFormat:
        """The format given, or the one that fits the webhook."""
        return self.format or ("slack" if self.host == "hooks.slack.com" else "json")


_posting: ContextVar[bool] = ContextVar("posting", default=False)


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Keep the secret address out of the log of the HTTP library, which writes each request's there."""
    library = logging.getLogger("httpx2")
    if _not_posting not in library.filters:
        library.addFilter(_not_posting)
    token = _posting.set(True)
    try:
        yield
    finally:
        _posting.reset(token)


def _not_posting(record: logging.LogRecord) -> bool:  # noqa: ARG001  # it depends on who logs, not on what
    return not _posting.get()


def raise_alert(settings: AlertSettings) -> Callable[[Alert], Awaitable[None]]:
    """The activity that starts the alert of a cause, unless one is there; without a webhook it does nothing.

    The alert is a workflow whose id names the cause: the server starts one, however many runs of however many workers
    are stopped in the same moment. It hears of each, to say later how many there were. A finding is found again by
    the next check, so of that it need not hear.
    """

    @activity.defn(name=names.RAISE_ALERT)
    async def start(alert: Alert) -> None:
        if settings.webhook is None:
            return
        queue = activity.info().task_queue
        again = (names.ALERT_AGAIN, [alert]) if alert.event != "finding" else (None, [])
        try:
            await activity.client().start_workflow(
                names.PARKED_ALERT,
                alert,
                id=f"{names.ALERT_PREFIX}{queue[:MAX_QUEUE_CHARS]}/{alert.fingerprint}",
                task_queue=queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=again[0],
                start_signal_args=again[1],
                static_summary=user_metadata.summary(alerts.summary(alert)),
                rpc_timeout=timedelta(seconds=TIMEOUT_SECONDS),
            )
        except RPCError as error:
            raise _failed(f"the server did not take it: {error.message}", "RPCError") from None

    return start


def post_alert(settings: AlertSettings) -> Callable[[Alert], Awaitable[AlertOutcome]]:
    """The activity that posts an alert to the webhook."""

    @activity.defn(name=names.POST_ALERT)
    async def post(alert: Alert) -> AlertOutcome:
        if settings.webhook is None:  # this worker has other settings than the one that raised it
            return AlertOutcome()
        alert_id = activity.info().workflow_run_id or ""
        body = alerts.body(
            alert, settings.used_format, alert_id=alert_id, quiet_seconds=settings.quiet_seconds
        )
        content = json.dumps(body).encode()
        headers = {"content-type": "application/json", "idempotency-key": alert_id}
        import httpx2  # half a second, which a worker without a webhook need not wait for

        try:
            with _unlogged():
                async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                    answer = await client.post(settings.webhook, content=content, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            told = str(error) or type(error).__name__
            raise _failed(f"the alert webhook at {settings.host}: {told}", type(error).__name__) from None
        if answer.is_success:
            _log.info("%s", f"alert {alert.fingerprint} ({alerts.summary(alert)}) sent to {settings.host}")
            return AlertOutcome(sent_to=settings.host, quiet_seconds=settings.quiet_seconds)
        code = answer.status_code
        said = " ".join(answer.text[:_SHOWN_CHARS].split())
        raise _failed(
            f"the alert webhook at {settings.host} answered {code}: {said}",
            f"HTTP {code}",
            retry=code in _TRY_AGAIN or code >= 500,
            retry_after=_retry_after(answer),
        )

    return post


def _failed(message: str, error: str, *, retry: bool = True, retry_after: float | None = None) -> Exception:
    info = activity.info()
    attempts = info.retry_policy.maximum_attempts if info.retry_policy else 1
    if not retry or info.attempt >= attempts:
        _log.error(
            "%s", f"an alert could not be sent: {message}. It is tried again when its cause is met again."
        )
    failure = Failure(kind="transient" if retry else "fatal", message=message, error=error)
    return application_error(failure, retry=retry, retry_after=retry_after)


def _retry_after(answer: httpx2.Response) -> float | None:
    try:
        return min(MAX_RETRY_AFTER, max(0.0, float(answer.headers["retry-after"])))
    except (KeyError, ValueError):
        return None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
