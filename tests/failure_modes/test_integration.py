"""Integration breakage: what the world outside does to tools."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from pydantic import BaseModel

from holdfast import Agent, Tool, Transient, Unauthorised, tool
from holdfast.testing import call, calls, finish, say
from holdfast.worker import AlertSettings
from tests.failure_modes.seen import no_task_failed, notices, settled
from tests.stage import CLAUDE, QUICKLY, SetStage
from tests.webhook import webhook

TRIED: list[str] = []


class Ticket(BaseModel):
    customer_id: int


@tool(effect="read")
async def ticket() -> Ticket:
    """A ticket from a CRM whose vendor renamed a field."""
    return {"customerId": 7}  # type: ignore[return-value]  # the point


@tool(effect="read", retry=QUICKLY)
async def calendar() -> str:
    """A calendar behind a token that expires."""
    TRIED.append("calendar")
    if "renewed" in TRIED:
        return "Monday"
    raise Unauthorised("the token expired at 12:00")


@tool(effect="read", retry=QUICKLY)
async def screen(candidate: int) -> str:
    """Screen a candidate; the API is limited from the third on, for a moment."""
    TRIED.append(str(candidate))
    if candidate >= 2 and TRIED.count(str(candidate)) == 1:
        raise Transient("429 too many requests", retry_after=0.05)
    return f"screened {candidate}"


@tool(effect="read", retry=QUICKLY)
async def resolve(host: str) -> str:
    """Ask a host."""
    TRIED.append(host)
    raise (socket.gaierror(-2, "Name or service not known") if host == "gone" else TimeoutError("timed out"))


@tool(effect="irreversible", waiver="a list")
async def post() -> str:
    """Write behind TLS."""
    TRIED.append("post")
    raise ssl.SSLCertVerificationError("certificate has expired")


TOOLS: list[Tool[..., Any]] = [ticket, calendar, screen, resolve, post]
AGENT = Agent(name="integrated", instructions="Go.", tools=TOOLS, ladder=[CLAUDE], autonomy="full")


@pytest.fixture(autouse=True)
def nothing_tried() -> None:
    """Each test counts for itself."""
    TRIED.clear()


async def test_a_renamed_field_is_a_broken_contract(stage: SetStage) -> None:
    """It is not data: the model is told not to rely on it, the operator which tool and field broke, by an alert too."""
    script = [call("ticket"), finish("failed", reason="the CRM changed")]
    async with webhook() as hook, stage(AGENT, script, alerts=AlertSettings(hook.url)) as on:
        run = await on.start()
        await hook.posted(1)
        outcome = await run.outcome()
        assert "customer_id" in on.told()[0]
        assert "ticket does not keep its contract" in await notices(run)
        failure = (await run.inspect()).steps[0].calls[0].failure
        await no_task_failed(on, run)
    assert outcome.reason == "the CRM changed"
    assert failure is not None
    assert failure.kind == "contract"
    told = hook.bodies[0]
    assert (told["event"], told["where"], told["kind"], told["run"]) == (
        "failure",
        "ticket",
        "contract",
        run.id,
    )


async def test_an_expired_token_is_for_a_human(stage: SetStage) -> None:
    """Only a human can renew it: one attempt, and the run is parked; redriven, it is one more."""
    async with stage(AGENT, [call("calendar"), finish("completed", "all dates")]) as on:
        run = await on.start()
        request = await run.next_request(kind="parked")
        assert "calendar (1.1): the token expired at 12:00" in request.why
        assert TRIED == ["calendar"]
        TRIED.append("renewed")
        await run.redrive(by="dana")
        await run.outcome()
        assert on.told() == ["Monday"]
        await no_task_failed(on, run)
    assert TRIED == ["calendar", "renewed", "calendar"]


async def test_a_rate_limit_in_the_middle_of_a_batch_is_waited_for(stage: SetStage) -> None:
    """Those that were limited come a moment later; the batch is whole, and in its order."""
    batch = calls(*(("screen", {"candidate": n}) for n in range(5)))
    async with stage(AGENT, [batch, say("All screened.")]) as on:
        assert await on.result() == "All screened."
        assert on.told() == [f"screened {n}" for n in range(5)]
    assert sorted(TRIED) == ["0", "1", "2", "2", "3", "3", "4", "4"]


async def test_a_name_that_does_not_resolve_and_one_that_hangs_are_told_apart(stage: SetStage) -> None:
    """Both are tried a bounded number of times, neither stops the other, and the model is told which is which."""
    both = calls(("resolve", {"host": "gone"}), ("resolve", {"host": "slow"}))
    async with stage(AGENT, [both, finish("failed", reason="the network is down")]) as on:
        run = await on.start()
        await run.outcome()
        gone, slow = on.told()
        await no_task_failed(on, run)
    assert "Name or service not known" in gone
    assert "timed out" in slow
    assert sorted(TRIED) == ["gone"] * 3 + ["slow"] * 3


async def test_a_certificate_that_ran_out_under_a_write_is_a_question_to_a_human(stage: SetStage) -> None:
    """Nobody can tell from the error whether the write went through, so it is not repeated: a person says."""
    async with stage(AGENT, [call("post"), say("Left.")]) as on:
        run = await on.start()
        view = await settled(on, run)
        (request,) = view.requests
        assert (view.status, request.kind) == ("waiting", "unknown_effect")
        assert "certificate has expired" in request.why
        await run.answer(request, "skip", by="dana")
        outcome = await run.outcome()
        assert "Do not repeat it" in on.told()[0]
    assert TRIED == ["post"]
    assert [one.outcome for one in outcome.effects] == ["unknown"]
