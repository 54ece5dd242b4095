"""The desk: what a run asks people, and every way in which they may decide."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from holdfast import Agent, Approval, ProposedCall, Run, Verdict, tool
from holdfast.contracts.run import RunView
from holdfast.errors import DecisionRefused
from holdfast.testing import call, calls, say
from tests.stage import CLAUDE, SetStage, Stage

PAID: list[str] = []


@tool(effect="irreversible", approval=Approval(by="finops"))
async def pay(order: str, cents: int) -> str:
    """Pay an order."""
    PAID.append(f"{order} {cents}")
    return f"paid {cents} for {order}"


@tool(effect="irreversible", approval=Approval(by="finops", expires_in=timedelta(milliseconds=300)))
async def pay_soon(order: str) -> str:
    """Pay an order, if somebody approves it at once."""
    PAID.append(order)
    return "paid"


CASHIER = Agent(
    name="cashier",
    instructions="Pay.",
    tools=[pay, pay_soon],
    ladder=[CLAUDE],
    autonomy="full",
    approvers="desk",
)
PAY = call("pay", order="A-1", cents=5)


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    PAID.clear()


def handle(on: Stage, run: Run[Any]) -> WorkflowHandle[Any, Any]:
    """The run as Temporal knows it, for decisions that no client of ours would send."""
    return on.client.temporal.get_workflow_handle(run.id)


async def ignored(run: Run[Any], count: int = 1) -> list[str]:
    """Why decisions by signal were ignored, once so many were."""
    found: list[str] = []
    async for event in run.events():
        if event.kind == "ignored":
            found.append(event.text)
        if len(found) == count:
            break
    return found


async def test_an_approved_call_runs_as_it_was_shown(stage: SetStage) -> None:
    """A request shows tool, arguments, why, and who is asked; approving it runs exactly that, once."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start(user="ana")
        request = await run.next_request()
        assert (request.kind, request.tool, request.arguments) == (
            "approval",
            "pay",
            {"order": "A-1", "cents": 5},
        )
        assert (request.by, request.why, request.digest) == (
            "finops",
            "pay needs approval by finops",
            CASHIER.digest,
        )
        assert PAID == []
        decision = await run.approve(request, by="dana", note="fine")
        assert (decision.choice, decision.by, decision.via) == ("approve", "dana", "update")
        assert await run.result() == "ok"
        outcome = await run.outcome()
    assert PAID == ["A-1 5"]
    assert outcome.effects[0].approved_by == "dana"


async def test_a_rejected_call_does_not_run_and_the_model_hears_why(stage: SetStage) -> None:
    """The reason of a rejection is what the model is told, as an error of its call."""
    async with stage(CASHIER, [PAY, say("I see.")]) as on:
        run = await on.start()
        await run.reject(await run.next_request(), by="dana", reason="wrong customer")
        assert await run.result() == "I see."
        assert on.told() == ["Not done: dana rejected this. Reason: wrong customer"]
        assert (await run.inspect()).steps[0].calls[0].status == "rejected"
    assert PAID == []


async def test_an_unanswered_request_is_denied_at_its_deadline(stage: SetStage) -> None:
    """Silence is a no: the model is told that nobody approved in time, and the run goes on."""
    async with stage(CASHIER, [call("pay_soon", order="A-1"), say("Too late.")]) as on:
        run = await on.start()
        assert await run.result() == "Too late."
        assert "nobody approved this in time" in on.told()[0]
        view = await run.inspect()
    assert PAID == []
    assert [(d.choice, d.via) for d in view.decisions] == [("expire", "deadline")]
    assert view.steps[0].calls[0].status == "expired"


async def test_a_call_may_be_approved_with_other_arguments(stage: SetStage) -> None:
    """What a human changes is what runs, and the model is told of the change."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start()
        changed = {"order": "A-1", "cents": 4}
        await run.approve(await run.next_request(), by="dana", arguments=changed)
        await run.result()
        assert on.told() == [
            (
                'dana changed the arguments to {"order": "A-1", "cents": 4} before approving. '
                "Result: paid 4 for A-1"
            )
        ]
        assert (await run.inspect()).effects[0].arguments == changed
    assert PAID == ["A-1 4"]


async def test_invalid_changes_are_refused_by_update_and_recorded_by_signal(stage: SetStage) -> None:
    """Changed arguments are checked as the model's are; one who asks by update hears what is valid."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        with pytest.raises(DecisionRefused, match=r'"4" is not of type "integer".*Valid arguments'):
            await run.approve(request, by="dana", arguments={"order": "A-1", "cents": "4"})
        by_signal = {"request": request.id, "by": "dana", "arguments": {"order": "A-1"}}
        await handle(on, run).signal("approve", by_signal)
        assert '"cents" is a required property' in (await ignored(run))[0]
        assert [open_.id for open_ in await run.requests()] == [request.id]
        await run.reject(request, by="dana", reason="never mind")
        await run.result()
    assert PAID == []


async def test_changed_arguments_pass_the_guards_again(stage: SetStage) -> None:
    """A human cannot approve what a guard forbids: the changed call is vetted like a new one."""

    def small_sums_only(proposed: ProposedCall) -> Verdict:
        return Verdict.allow() if proposed.arguments["cents"] < 100 else Verdict.refuse("too much")

    async with stage(CASHIER.but(guards=[small_sums_only]), [PAY, say("ok")]) as on:
        run = await on.start()
        await run.approve(await run.next_request(), by="dana", arguments={"order": "A-1", "cents": 100})
        await run.result()
        assert on.told() == ["Not done: as dana changed it: too much"]
    assert PAID == []


async def test_the_first_decision_counts(stage: SetStage) -> None:
    """A second decision about the same request is refused, and changes nothing."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        await run.approve(request, by="dana")
        with pytest.raises(DecisionRefused):
            await run.reject(request, by="erin", reason="stop!")
        await run.result()
    assert PAID == ["A-1 5"]


async def test_of_two_decisions_at_once_one_counts_and_the_other_hears_so(stage: SetStage) -> None:
    """Decisions that race are taken in order; the later one is told who decided first."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        found = await asyncio.gather(
            run.approve(request, by="dana"),
            run.reject(request, by="erin", reason="no"),
            return_exceptions=True,
        )
        outcome = await run.outcome()
    assert sorted(isinstance(one, DecisionRefused) for one in found) == [False, True]
    assert (["A-1 5"] if not isinstance(found[0], DecisionRefused) else []) == PAID
    assert len(outcome.effects) == len(PAID)


async def test_decisions_that_do_not_fit_are_refused_with_what_would(stage: SetStage) -> None:
    """An unknown request, a choice of another kind, nobody's name, or one's own run: each is refused in words."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start(user="ana")
        request = await run.next_request()
        with pytest.raises(DecisionRefused, match=f"'nothing' is not open; open are: {request.id}"):
            await run.approve("nothing", by="dana")
        with pytest.raises(DecisionRefused, match="takes approve or reject, not answer"):
            await run.answer(request, "yes", by="dana")
        with pytest.raises(DecisionRefused, match="say who decides"):
            await run.approve(request, by=" ")
        with pytest.raises(DecisionRefused, match="ana started this run and cannot approve"):
            await run.approve(request, by="Ana")
        assert PAID == []
        await run.reject(request, by="ana", reason="I changed my mind")
        await run.result()
    assert PAID == []


async def test_a_decision_for_a_run_that_has_ended_is_refused(stage: SetStage) -> None:
    """Too late is said as such."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        await run.approve(request, by="dana")
        await run.result()
        with pytest.raises(DecisionRefused, match="has ended"):
            await run.approve(request, by="dana")


async def test_a_signal_decides_as_an_update_does(stage: SetStage) -> None:
    """`temporal workflow signal` is enough: with one request open its id may be left out."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start()
        await run.next_request()
        await handle(on, run).signal("approve", {"by": "dana"})
        await run.result()
        assert [(d.by, d.via) for d in (await run.inspect()).decisions] == [("dana", "signal")]
    assert PAID == ["A-1 5"]


def json_payload(text: bytes) -> RawValue:
    """A payload that says it is JSON, of exactly this text."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=text))


GARBAGE: dict[str, list[Any]] = {
    "no JSON": [b"\xff\x00"],
    "a list": [["dana"]],
    "text": ["yes"],
    "null": [None],
    "an empty object": [{}],
    "an unknown field": [{"by": "dana", "bogus": 1}],
    "a wrong type": [{"by": 7}],
    "nothing": [],
    "two of them": [{"by": "dana"}, {"by": "dana"}],
    "half a surrogate pair": [json_payload(b'{"by": "\\ud800"}')],
    "a NUL": [{"by": "erin\x00"}],
    "broken JSON": [json_payload(b'{"by"')],
    "an encoding nobody knows": [RawValue(Payload(metadata={"encoding": b"x/y"}, data=b"hello"))],
}


async def test_a_signal_that_holds_garbage_is_recorded_and_hurts_nobody(stage: SetStage) -> None:
    """Whatever a signal holds, the run stays alive, says why it was ignored, and takes the next decision."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start(user="dana")
        await run.next_request()
        for payloads in GARBAGE.values():
            await handle(on, run).signal("approve", args=payloads)
        assert len(await ignored(run, len(GARBAGE))) == len(GARBAGE)
        assert PAID == []
        await handle(on, run).signal("approve", {"by": "erin"})
        assert await run.result() == "ok"
        view = await run.inspect()
    assert PAID == ["A-1 5"]
    assert len(view.ignored) == len(GARBAGE)
    assert all(one.signal == "approve" and one.why for one in view.ignored)


async def test_an_update_that_holds_garbage_is_refused_in_words(stage: SetStage) -> None:
    """Whatever an update holds, its sender hears what is wrong with it, and the run waits on."""
    async with stage(CASHIER, [PAY, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        for payloads in GARBAGE.values():
            with pytest.raises(WorkflowUpdateFailedError) as caught:
                await handle(on, run).execute_update("decide", args=payloads)
            assert isinstance(caught.value.cause, ApplicationError)
            assert caught.value.cause.type == "DecisionRefused"
        assert (await run.inspect()).ignored == []
        await run.reject(request, by="dana", reason="no")
        assert await run.result() == "ok"
    assert PAID == []


async def test_two_requests_may_be_answered_in_the_other_order(stage: SetStage) -> None:
    """Each call goes on as soon as its own request is decided; the results stay in the model's order."""
    both = calls(("pay", {"order": "A", "cents": 1}), ("pay", {"order": "B", "cents": 2}))
    async with stage(CASHIER, [both, say("ok")]) as on:
        run = await on.start()
        await run.next_request()
        first, second = await run.requests()
        assert (first.call, second.call) == ("1.1", "1.2")
        await handle(on, run).signal("approve", {"by": "dana"})
        assert "say which request is meant" in (await ignored(run))[0]
        await run.approve(second, by="dana")
        async for event in run.events():
            if event.kind == "result":
                break
        assert PAID == ["B 2"]
        await run.approve(first, by="dana")
        await run.result()
        assert on.told() == ["paid 1 for A", "paid 2 for B"]


async def test_an_independent_call_does_not_wait_for_a_human(stage: SetStage) -> None:
    """While one call of a step waits for its approval, the others are carried out."""

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        return "seen"

    agent = CASHIER.but(tools=[pay, look])
    async with stage(agent, [calls(("pay", {"order": "A", "cents": 1}), ("look", {})), say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        async for event in run.events():
            if event.kind == "result":
                assert event.text == "look: done"
                break
        view: RunView = await run.inspect()
        assert [call.status for call in view.steps[0].calls] == ["waiting", "done"]
        assert view.status == "waiting"
        await run.approve(request, by="dana")
        await run.result()
        assert on.told() == ["paid 1 for A", "seen"]


async def test_three_rejections_in_a_row_end_the_attempt(stage: SetStage) -> None:
    """Whoever is told no three times gets one last turn without tools, to hand back what there is."""
    plans = [call("pay", order=f"A-{n}", cents=n) for n in range(3)]
    async with stage(CASHIER, [*plans, say("They will not have it.")]) as on:
        run = await on.start()
        for _ in plans:
            await run.reject(await run.next_request(), by="dana", reason="no")
        outcome = await run.outcome()
        assert on.model.requests[-1].tool_names == ["finish"]
    assert (outcome.status, outcome.output) == ("partial", "They will not have it.")
    assert "3 rejections in a row" in outcome.reason


async def test_an_approval_between_them_breaks_the_row_of_rejections(stage: SetStage) -> None:
    """Only rejections in a row end an attempt."""
    plans = [call("pay", order=f"A-{n}", cents=n) for n in range(4)]
    async with stage(CASHIER, [*plans, say("ok")]) as on:
        run = await on.start()
        for number in range(4):
            request = await run.next_request()
            if number == 1:
                await run.approve(request, by="dana")
            else:
                await run.reject(request, by="dana", reason="no")
        assert await run.result() == "ok"
    assert PAID == ["A-1 1"]


async def test_an_agent_may_ask_a_human(stage: SetStage) -> None:
    """`ask_human` opens a question to the agent's approvers; the answer is its result, a rejection an error."""
    question = call("ask_human", question="Which region?")
    async with stage(CASHIER, [question, question, say("ok")]) as on:
        run = await on.start(user="ana")
        request = await run.next_request()
        assert (request.kind, request.why, request.by) == ("question", "Which region?", "desk")
        with pytest.raises(DecisionRefused, match="the answer is empty"):
            await run.answer(request, " ", by="ana")
        await run.answer(request, "eu-west-1", by="ana")
        await on.model.wait_for_request(2)
        assert on.told() == ["ana answers: eu-west-1"]
        await run.reject(await run.next_request(), by="dana", reason="find out yourself")
        assert await run.result() == "ok"
        assert on.told() == ["Not done: dana rejected this. Reason: find out yourself"]


async def test_a_waiting_run_holds_no_worker_slot(stage: SetStage) -> None:
    """With room for one activity at a time, ten runs that wait for people keep nobody from working."""
    waiting = CASHIER.but(name="waiting")
    talking = CASHIER.but(name="talking")

    def script(request: Any) -> Any:
        return say("ok") if request.turn or request.conversation == "talk" else PAY

    async with stage([waiting, talking], script, concurrency=1) as on:
        runs = [await on.start(f"wait {number}") for number in range(10)]
        requests = [await run.next_request() for run in runs]
        assert await on.result("talk", agent=talking) == "ok"
        for run, request in zip(runs, requests, strict=True):
            await run.approve(request, by="dana")
        assert [await run.result() for run in runs] == ["ok"] * 10
    assert len(PAID) == 10
