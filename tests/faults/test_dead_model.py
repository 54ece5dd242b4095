"""A model that is dead: runs go on with the next planner or park, and the model is left alone."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from activities.asking import PROVIDER
from holdfast import Agent, Call, Correctable, Finish, Model, PlanView, Retry, Rules, Transient, tool
from holdfast.testing import Answer, Fault, ModelRequest, call, calls, cut, fault, finish, hang, malformed
from holdfast.worker import BreakerSettings
from tests.stage import SetStage, unique

OPENS_AT = 5
IMPATIENT = Retry(attempts=3, initial=timedelta(milliseconds=50))
DEAD = Model("claude-opus-5", retry=IMPATIENT, timeout=timedelta(seconds=2))
SPARE = Model("claude-haiku-4-5", retry=IMPATIENT)


@pytest.fixture(autouse=True, scope="module")
def provider_is_loaded() -> None:
    """The provider's SDK takes seconds to load on first use, which is not what two seconds of patience are for."""
    importlib.import_module(PROVIDER)


def by_rules(view: PlanView) -> Sequence[Call] | Finish:
    """Report that the rules planned."""
    return Finish("by rules")


def agent(*ladder: Model | Rules, **options: Any) -> Agent[Any]:
    """An agent with these planners."""
    return Agent(name="outage", instructions="Report.", ladder=list(ladder), **options)


def dead(how: Fault | Answer) -> Any:
    """A script in which one model is dead in some way, and all others finish."""

    def play(request: ModelRequest) -> Answer | Fault:
        return how if request.model == DEAD.name else finish(result="by the spare")

    return play


WAYS: dict[str, Any] = {
    "overloaded": fault(529),
    "throttled": fault(429, headers={"retry-after": "7"}),
    "cut in the middle": cut(call("look")),
    "HTML": malformed(b"<html>502</html>", content_type="text/html"),
    "never answers": hang(),
}


@pytest.mark.parametrize("way", WAYS)
async def test_runs_complete_on_the_next_rung(stage: SetStage, way: str) -> None:
    """However a model is dead, each of ten runs is completed by the next one, and the dead one is soon left alone."""
    subject = agent(DEAD, SPARE)
    if way == "throttled":  # it asks for seven seconds; that they are waited for has a test of its own
        subject = agent(Model(DEAD.name, retry=Retry(attempts=1)), SPARE)
    async with stage(subject, dead(WAYS[way]), exhausted=False, seconds=60) as on:
        for _ in range(5):
            assert await on.result() == "by the spare"
        runs = [await on.start() for _ in range(5)]
        assert {await run.result() for run in runs} == {"by the spare"}
        asked = [request for request in on.model.requests if request.model == DEAD.name]
        assert len(asked) <= OPENS_AT
        view = await runs[-1].inspect()
        assert [step.planner for step in view.steps] == [SPARE.name]


async def test_runs_at_once_stay_within_the_promise(stage: SetStage) -> None:
    """Of fifteen runs at once a dead model hears five calls, and those that were under way when the fifth failed."""
    # An attempt that is given up after two seconds, on a slow machine before it has asked, would ask beside the next one.
    subject = agent(Model(DEAD.name, retry=IMPATIENT), Rules(by_rules))
    async with stage(subject, dead(fault(529)), exhausted=False, seconds=60) as on:
        runs = [await on.start() for _ in range(15)]
        assert {await run.result() for run in runs} == {"by rules"}
        at_once = len(on.model.requests)
        for _ in range(3):
            assert await on.result() == "by rules"
        assert len(on.model.requests) == at_once
        assert at_once <= OPENS_AT + 15


async def test_ten_minutes_of_overload(stage: SetStage) -> None:
    """A run with no other planner waits for the breaker without calls, one trial at a time, and parks within bounds.

    Minutes are played as tenths of seconds: the breaker opens for 0.3 s.
    """
    patient = Model(DEAD.name, retry=Retry(attempts=8, initial=timedelta(milliseconds=10)))
    settings = BreakerSettings(open_seconds=0.3, trial_seconds=5)
    async with stage(agent(patient), dead(fault(529)), breakers=settings, exhausted=False, seconds=60) as on:
        run = await on.start()
        request = await run.next_request(kind="parked")
        assert "overloaded_error" in request.why or "BreakerOpen" in request.why
        assert OPENS_AT <= len(on.model.requests) <= 8


async def test_it_goes_on_by_itself_when_the_model_is_back(stage: SetStage) -> None:
    """The first trial that succeeds closes the breaker, and the waiting run completes."""
    alive = False

    def play(request: ModelRequest) -> Answer | Fault:
        nonlocal alive
        alive = request.number > OPENS_AT
        return finish(result="back") if alive else fault(529)

    patient = Model(DEAD.name, retry=Retry(attempts=8, initial=timedelta(milliseconds=10)))
    settings = BreakerSettings(open_seconds=0.3, trial_seconds=5)
    async with stage(agent(patient), play, breakers=settings, exhausted=False, seconds=60) as on:
        assert await on.result() == "back"
        assert [one.state for one in await on.client.breakers()] == ["closed"]


async def test_a_fleet_shares_what_it_knows(stage: SetStage) -> None:
    """What one worker has learnt keeps another, which never called the model, from calling it."""
    subject, queue = agent(DEAD, Rules(by_rules)), unique("queue")
    async with stage(subject, dead(fault(529)), task_queue=queue, exhausted=False, seconds=60) as on:
        for _ in range(2):
            assert await on.result() == "by rules"
        assert len(on.model.requests) == OPENS_AT
    async with stage(subject, dead(fault(529)), task_queue=queue, exhausted=False) as on:
        assert await on.result() == "by rules"
        assert on.model.requests == []


async def test_the_promised_delay_is_waited_for(stage: SetStage) -> None:
    """A 429 that asks for a second is followed by the next attempt after a second, and not before."""
    times: list[float] = []

    def play(request: ModelRequest) -> Answer | Fault:
        times.append(asyncio.get_running_loop().time())
        return fault(429, headers={"retry-after": "1"}) if len(times) == 1 else finish(result="served")

    async with stage(agent(SPARE), play, exhausted=False) as on:
        assert await on.result() == "served"
    assert times[1] - times[0] >= 1.0


FAILED: list[str] = []


@tool(effect="read", depends_on="crm", retry=Retry(attempts=1))
async def find(customer: str) -> str:
    """Find a customer."""
    FAILED.append(customer)
    if customer == "nobody":
        raise Correctable("there is no such customer")
    raise Transient("the CRM is down")


@tool(effect="irreversible", waiver="a test", depends_on="crm")
async def greet(customer: str) -> str:
    """Write to a customer."""
    FAILED.append(customer)
    return "sent"


async def test_tools_share_the_breaker_of_their_service(stage: SetStage) -> None:
    """After five failures of the CRM no tool that depends on it is called, and the model is told what is down."""
    FAILED.clear()
    subject = agent(SPARE, tools=[find, greet], autonomy="full")
    plans = [
        *(call("find", customer=f"c{n}") for n in range(5)),
        calls(("find", {"customer": "c9"}), ("greet", {"customer": "c9"})),
        finish("partial", "the CRM is down"),
    ]
    async with stage(subject, plans) as on:
        outcome = await on.outcome()
        told = on.told()
    assert [f"c{n}" for n in range(5)] == FAILED
    assert all("crm is not called until" in text for text in told)
    assert outcome.effects == []


async def test_a_refusal_is_an_answer(stage: SetStage) -> None:
    """A service that says no is alive: any number of correctable errors opens nothing."""
    FAILED.clear()
    subject = agent(SPARE, tools=[find])
    one = ("find", {"customer": "nobody"})
    async with stage(
        subject, [calls(one, one), calls(one, one), calls(one, one), finish(result="none")]
    ) as on:
        await on.result()
        assert [b.state for b in await on.client.breakers()] in ([], ["closed"])


async def test_a_worker_needs_no_board(stage: SetStage) -> None:
    """Where all goes well there is no board, and so no history and no traffic of it."""
    async with stage(agent(SPARE), [finish(result="fine")]) as on:
        await on.result()
        assert await on.client.breakers() == []
