"""activities/alerts.py: what is posted, what is tried again, and what is never said."""

from __future__ import annotations

import logging

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.alerts import AlertSettings, post_alert, raise_alert
from holdfast.contracts.alerts import AlertOutcome
from holdfast.errors import UsageError
from tests.policies.test_alerts import ALERT
from tests.stage import unique
from tests.webhook import SECRET, webhook


async def send(settings: AlertSettings) -> AlertOutcome:
    """Send the alert once."""
    found: AlertOutcome = await ActivityEnvironment().run(post_alert(settings), ALERT)
    return found


async def test_without_a_webhook_nothing_is_sent() -> None:
    """It says so, and asks for no quiet."""
    assert await send(AlertSettings()) == AlertOutcome()


async def test_it_posts_json(caplog: pytest.LogCaptureFixture) -> None:
    """The alert's fields, with an id to drop repetitions by; the secret address is in no log."""
    caplog.set_level(logging.DEBUG)
    async with webhook() as hook:
        outcome = await send(AlertSettings(hook.url, quiet_seconds=60.0))
    assert outcome == AlertOutcome(sent_to="127.0.0.1", quiet_seconds=60.0)
    (post,), (body,) = hook.posts, hook.bodies
    assert (post.method, post.path, post.headers["content-type"]) == ("POST", SECRET, "application/json")
    assert (body["event"], body["run"], body["id"]) == (
        "run_parked",
        "ticket-88",
        post.headers["idempotency-key"],
    )
    assert any("sent to 127.0.0.1" in record.getMessage() for record in caplog.records)
    assert not any("secret" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "status,headers,retried,after",
    [
        (500, {}, True, None),
        (429, {"retry-after": "7"}, True, 7.0),
        (429, {"retry-after": "9999"}, True, 60.0),
        (503, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, True, None),
        (404, {}, False, None),
        (302, {"location": "http://elsewhere.example"}, False, None),
    ],
)
async def test_only_what_may_pass_is_tried_again(
    status: int, headers: dict[str, str], retried: bool, after: float | None
) -> None:
    """The message says what was answered, and not the address; a redirect is not followed."""
    async with webhook((status, headers)) as hook:
        with pytest.raises(ApplicationError, match=f"127.0.0.1 answered {status}: no_team") as caught:
            await send(AlertSettings(hook.url))
    error = caught.value
    assert error.non_retryable != retried
    assert (error.next_retry_delay and error.next_retry_delay.total_seconds()) == after
    assert "secret" not in str(error)


async def test_a_webhook_that_is_gone_is_tried_again() -> None:
    """Nobody listens."""
    async with webhook() as hook:
        gone = hook.url
    with pytest.raises(ApplicationError, match=r"webhook at 127\.0\.0\.1: ") as caught:
        await send(AlertSettings(gone))
    assert not caught.value.non_retryable


async def test_raised_again_it_is_the_same_alert(temporal: Client) -> None:
    """A worker that died after it had raised the alert, and one that was stopped by the same cause, start no other."""
    alert = ALERT.model_copy(update={"fingerprint": unique("cause")})
    settings = AlertSettings("https://chat.example/hooks/x")
    handle = temporal.get_workflow_handle(f"holdfast-alert/test/{alert.fingerprint}")
    begun = set()
    for run in ("ticket-88", "ticket-88", "ticket-89"):
        one = alert.model_copy(update={"run": run})
        await ActivityEnvironment(client=temporal).run(raise_alert(settings), one)
        begun.add((await handle.describe()).run_id)
    await handle.terminate("the test is over")
    assert len(begun) == 1


async def test_without_a_webhook_nothing_is_raised() -> None:
    """It needs no server."""
    await ActivityEnvironment().run(raise_alert(AlertSettings()), ALERT)


def test_settings_come_from_the_environment() -> None:
    """Each variable; a webhook of Slack gets Slack's format unless another is named."""
    assert AlertSettings.from_environment({}) == AlertSettings(None, None, 3600.0)
    slack = AlertSettings.from_environment(
        {"HOLDFAST_ALERT_WEBHOOK": "https://hooks.slack.com/services/x", "HOLDFAST_ALERT_QUIET_SECONDS": "60"}
    )
    assert (slack.used_format, slack.quiet_seconds, slack.host) == ("slack", 60.0, "hooks.slack.com")
    assert AlertSettings("https://chat.example/hooks/x").used_format == "json"
    assert AlertSettings("https://chat.example/hooks/x", "slack").used_format == "slack"


@pytest.mark.parametrize(
    "name,value,words",
    [
        ("WEBHOOK", "hooks.slack.com/services/x", "must be a URL"),
        ("WEBHOOK", "https://:80", "must be a URL"),
        ("WEBHOOK", "http://[::1", "must be a URL"),
        ("FORMAT", "teams", "json or slack, not 'teams'"),
        ("QUIET_SECONDS", "1h", "such as 3600"),
        ("QUIET_SECONDS", "nan", "such as 3600"),
        ("QUIET_SECONDS", "-1", "such as 3600"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(name: str, value: str, words: str) -> None:
    """A sentence that names the variable and what would be right."""
    with pytest.raises(UsageError, match=words) as caught:
        AlertSettings.from_environment({f"HOLDFAST_ALERT_{name}": value})
    assert f"HOLDFAST_ALERT_{name}" in str(caught.value)
    assert "services/x" not in str(caught.value)
