"""A provider that is busy, broken or closed: what is retried, what is not, and what a human hears."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from holdfast import Agent, Model, tool
from holdfast.testing import (
    Step,
    answer,
    by_conversation,
    call,
    cut,
    fault,
    hang,
    malformed,
    no_message_stop,
    say,
    stream_error,
)
from holdfast.worker import AlertSettings
from tests.stage import CLAUDE, QUICKLY, SetStage
from tests.webhook import webhook

EXECUTED: list[str] = []


@tool(effect="irreversible", waiver="it writes into a list")
async def pay(order: str) -> str:
    """Pay an order."""
    EXECUTED.append(order)
    return "paid"


CASHIER = Agent(name="cashier", instructions="Pay.", tools=[pay], ladder=[CLAUDE], autonomy="full")
PAY = call("pay", order="A-1")
TRANSIENT: dict[str, Step] = {
    "529": fault(529),
    "529 inside a stream, after a call began": stream_error(PAY, after_events=5),
    "529 inside a stream, behind a whole call": stream_error(PAY, after_events=7),
    "500": fault(500),
    "503 of a proxy, in HTML": fault(503, body="<html>busy</html>", content_type="text/html"),
    "408": fault(408),
    "a stream without an end": no_message_stop(PAY),
    "a stream that ends inside a call": no_message_stop(PAY, after_events=5),
    "a connection closed at once": cut(),
    "a connection closed inside a call": cut(PAY, after_events=5),
    "HTML with status 200": fault(200, body="<html>hello</html>", content_type="text/html"),
    "half an event": malformed(b"event: message_start\ndata: {\n\n"),
    "JSON that is no message": malformed(b'{"type": "greeting"}', content_type="application/json"),
    "an event that is a list": malformed(b"event: message_start\ndata: []\n\n"),
    "a block without a place": malformed(
        b'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n'
    ),
}


@pytest.mark.parametrize("trouble", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_a_model_call_that_did_not_arrive_whole_is_made_again(stage: SetStage, trouble: Step) -> None:
    """Nothing of a broken answer is carried out: it is asked for again, and its call is made once."""
    EXECUTED.clear()
    async with stage(CASHIER, [trouble, PAY, say("Paid.")]) as on:
        assert await on.result() == "Paid."
        first, second, _ = on.model.requests
    assert EXECUTED == ["A-1"]
    assert first.body == second.body


async def test_retry_after_is_waited_for(stage: SetStage) -> None:
    """When the provider says to come back in a second, the next attempt comes after a second, not before."""
    async with stage(CASHIER, [fault(429, headers={"retry-after": "1"}), say("ok")]) as on:
        assert await on.result() == "ok"
        first, second = on.model.requests
    assert 1.0 <= second.received_at - first.received_at < 5.0


async def test_retry_after_on_an_answer_that_arrived_means_nothing(stage: SetStage) -> None:
    """Some good answers carry `retry-after` too: the status comes first, and there is nothing to wait for."""
    told = answer([{"type": "text", "text": "ok"}], headers={"retry-after": "3600"})
    async with stage(CASHIER, [told]) as on:
        assert await on.result() == "ok"


async def test_retries_are_bounded_and_then_the_next_rung_plans(stage: SetStage) -> None:
    """A model that stays down is asked three times, as its rung says, and then the next one is."""
    agent = CASHIER.but(ladder=[CLAUDE, Model("claude-haiku-4-5", retry=QUICKLY)])
    async with stage(agent, [fault(529), fault(500), fault(529), say("Here I am.")]) as on:
        run = await on.start()
        assert await run.result() == "Here I am."
        assert [request.model for request in on.model.requests][2:] == ["claude-sonnet-5", "claude-haiku-4-5"]
        notices = [event.text async for event in run.events() if event.kind == "notice"]
    assert any("claude-sonnet-5 failed (transient)" in text for text in notices)


@pytest.mark.parametrize(
    "refused, words",
    [
        (fault(401), "credentials authentication_error"),
        (fault(403), "credentials permission_error"),
        (fault(402), "credentials billing_error"),
        (fault(400, "tools.0: no"), "fatal invalid_request_error"),
        (fault(404), "fatal not_found_error"),
        (fault(413, body="<html>too large</html>", content_type="text/html"), "limit"),
        (fault(400, "prompt is too long: 250000 tokens > 200000 maximum"), "limit invalid_request_error"),
        (fault(529, headers={"x-should-retry": "false"}), "transient overloaded_error"),
    ],
    ids=["401", "403", "402", "400", "404", "413 of a proxy", "prompt too long", "told not to retry"],
)
async def test_what_another_attempt_cannot_cure_is_not_tried_again(
    stage: SetStage, refused: Step, words: str
) -> None:
    """The run is parked after one attempt, says why, and completes once a human has mended it."""
    async with stage(CASHIER, [refused, say("Mended.")]) as on:
        run = await on.start()
        request = await run.next_request()
        assert request.kind == "parked"
        assert words in request.why
        assert len(on.model.requests) == 1
        await run.answer(request, "redrive", by="dana")
        assert await run.result() == "Mended."


async def test_a_person_hears_of_a_refused_key_also_where_another_model_plans(stage: SetStage) -> None:
    """The run goes on with the next rung, and nobody would renew the key that one alert does not tell of."""
    agent = CASHIER.but(ladder=[CLAUDE, Model("claude-haiku-4-5", retry=QUICKLY)])
    async with (
        webhook() as hook,
        stage(agent, [fault(401), say("Here I am.")], alerts=AlertSettings(hook.url)) as on,
    ):
        assert await on.result() == "Here I am."
        await hook.posted(1)
    assert (hook.bodies[0]["event"], hook.bodies[0]["kind"]) == ("failure", "credentials")
    assert hook.bodies[0]["where"] == "planner claude-sonnet-5"


async def test_without_a_key_a_human_is_told_which_is_missing(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request can be sent without a key: the run waits for one, and takes the one that comes."""
    async with stage(CASHIER, [say("Hello.")]) as on:
        monkeypatch.delenv("ANTHROPIC_API_KEY")
        run = await on.start()
        request = await run.next_request()
        assert "credentials" in request.why
        assert "ANTHROPIC_API_KEY" in request.why
        monkeypatch.setenv("ANTHROPIC_API_KEY", "renewed")
        await run.answer(request, "redrive", by="dana")
        assert await run.result() == "Hello."
        assert on.model.requests[0].api_key == "renewed"


async def test_a_planner_that_fell_is_given_another_chance_after_some_steps(stage: SetStage) -> None:
    """The lower rung plans five steps, then the best one is tried again."""
    agent = CASHIER.but(ladder=[CLAUDE, Model("claude-haiku-4-5", retry=QUICKLY)])
    steps = [call("pay", order=f"B-{n}") for n in range(5)]
    async with stage(agent, [fault(400), *steps, say("Back.")]) as on:
        await on.result()
        asked = [request.model for request in on.model.requests]
    assert asked == ["claude-sonnet-5", *["claude-haiku-4-5"] * 5, "claude-sonnet-5"]


async def test_a_model_that_goes_silent_is_given_up_after_its_timeout(stage: SetStage) -> None:
    """An answer that stops in its middle costs one timeout, and the next attempt arrives."""
    impatient = CASHIER.but(ladder=[Model("claude-sonnet-5", timeout=timedelta(seconds=1), retry=QUICKLY)])
    script = by_conversation([hang(math.inf, answer=PAY, after_events=4), say("Here again.")])
    async with stage(impatient, script) as on:
        assert await on.result() == "Here again."
