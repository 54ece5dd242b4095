"""What is recorded: an agent, the model's script, and what people do meanwhile. Ids are the scenarios' names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast import Agent, Run
from holdfast.contracts.requests import Request
from holdfast.testing import (
    ModelRequest,
    Script,
    Step,
    StepFunction,
    answer,
    call,
    calls,
    fault,
    finish,
    raw_tool_call,
    say,
    thinking,
    truncated_tool_call,
)
from tests.replay.agents import (
    abroad,
    asking,
    by_rules,
    cautious,
    failing,
    forgetful,
    guarded,
    limited,
    observer,
    payer,
    reader,
    refunder,
    reporting,
    sender,
    staffed,
    teller,
    with_ladder,
)

Acts = Callable[[Run[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """A run to record.

    Attributes:
        agent: Who runs.
        script: What the model answers.
        acts: What people do while it runs.
        given: The workflow's raw input, in the place of agent and task.
    """

    agent: Agent[Any]
    script: Script | StepFunction | Sequence[Step] = ()
    acts: Acts | None = None
    given: Any = None


def _signal(name: str, **decision: Any) -> Acts:
    """Answer the first request by signal, as the UI's button does."""

    async def act(run: Run[Any]) -> None:
        await run.next_request()
        await run._handle.signal(name, decision)

    return act


def _update(choice: str, **decision: Any) -> Acts:
    """Answer every request by update, as it comes, with the same decision."""

    async def act(run: Run[Any]) -> None:
        decided: set[str] = set()
        async for event in run.events():
            if event.kind == "request" and (asked := Request.model_validate(event.data)).id not in decided:
                decided.add(asked.id)
                await getattr(run, choice)(asked.id, by="dana", **decision)

    return act


async def _cancel(run: Run[Any]) -> None:
    await run.next_request()
    await run._handle.cancel()


async def _steer(run: Run[Any]) -> None:
    """Two messages and a pause while a request is open; then it is decided, and the run may go on."""
    asked = await run.next_request()
    await run.send("Ben says that it is urgent.", by="ben")
    await run.send("Eva says that it is not.", by="eva")
    await run.pause(by="dana", reason="let me see")
    await run.approve(asked, by="dana")
    await run.resume(by="dana")


async def _redrive_from_the_first_step(run: Run[Any]) -> None:
    await run.next_request(kind="parked")
    await run.redrive(by="dana", from_step=1)


async def _approve_and_renew(run: Run[Any]) -> None:
    await run.approve(await run.next_request(kind="approval"), by="dana", arguments={"order": "o-2"})
    await run.next_request(kind="parked")
    await run.redrive(by="dana", note="the token is renewed")


def _pages(request: ModelRequest) -> Step:
    """Read one long page after the other; sum up when asked to."""
    if "tools" not in request.body:
        return say("All is well on the pages so far.")
    return finish(result="All is well.") if request.number > 6 else call("read_log", page=request.number)


async def _noise(run: Run[Any]) -> None:
    """Everything that a signal can hold and that changes nothing; then a decision."""
    asked = await run.next_request()
    await run._handle.signal("approve", {"by": "dana", "requests": asked.id})
    await run._handle.signal("approve", "yes")
    await run._handle.signal("approve", {"request": "9.9-approval-unknown", "by": "dana"})
    await run._handle.signal("answer", {"request": asked.id, "by": "dana", "answer": "yes"})
    await run._handle.signal("approve", {"request": asked.id, "by": "ana"})
    await run._handle.signal("approve", {"request": asked.id, "by": "dana", "arguments": {"order": 7}})
    await run._handle.signal("approve", {"request": asked.id, "by": "dana"})


PAY = [call("pay", order="o-1", amount=500), finish(result="Done.")]

SCENARIOS: Mapping[str, Scenario] = {
    "rules_happy_path": Scenario(by_rules),
    "text_answer": Scenario(reader, [call("look", where="attic"), say("There is nothing in the attic.")]),
    "parallel_tools_large_results": Scenario(
        reader,
        [
            answer(
                [
                    thinking("Three pages."),
                    {"type": "text", "text": "I read all of it."},
                    *(
                        {"type": "tool_use", "id": f"toolu_{n}", "name": "read_log", "input": {"page": n}}
                        for n in (1, 2, 3)
                    ),
                ],
                stop_reason="tool_use",
            ),
            calls(("look", {"where": "attic"}), ("read_log", {"page": 4})),
            finish(result="All is well."),
        ],
    ),
    "approval_approved": Scenario(payer, PAY, _update("approve", note="ok")),
    "approval_by_signal": Scenario(payer, PAY, _signal("approve", by="dana")),
    "approval_rejected": Scenario(payer, PAY, _update("reject", reason="too much")),
    "approval_edited": Scenario(payer, PAY, _update("approve", arguments={"order": "o-1", "amount": 50})),
    "approval_expired": Scenario(payer, [call("pay_soon", order="o-1"), finish(result="Nobody answered.")]),
    "rejected_three_times": Scenario(
        payer,
        [
            *(call("pay", order=f"o-{n}", amount=n) for n in (1, 2, 3)),
            finish("partial", reason="nobody lets me"),
        ],
        _update("reject", reason="no"),
    ),
    "two_approvals_at_once": Scenario(
        payer,
        [
            calls(
                ("pay", {"order": "o-1", "amount": 1}),
                ("look", {"where": "attic"}),
                ("pay", {"order": "o-2", "amount": 2}),
            ),
            finish(result="Both paid."),
        ],
        _update("approve"),
    ),
    "signals_ignored": Scenario(payer, PAY, _noise),
    "unknown_effect_probed_happened": Scenario(sender, [call("send", to="ana"), finish(result="Sent.")]),
    "unknown_effect_probed_run_again": Scenario(sender, [call("send", to="ben"), finish(result="Sent.")]),
    "unknown_effect_human_happened": Scenario(
        sender,
        [call("ship", to="ana"), finish(result="Shipped.")],
        _update("answer", answer="happened", result="tracking 7"),
    ),
    "unknown_effect_human_run": Scenario(
        sender, [call("ship", to="ben"), finish(result="Shipped.")], _update("answer", answer="run")
    ),
    "unknown_effect_human_skip": Scenario(
        sender,
        [call("ship", to="eva"), finish("partial", reason="nobody knows")],
        _signal("answer", by="dana", answer="skip"),
    ),
    "ladder_falls": Scenario(with_ladder, [fault(400), call("look", where="attic"), finish(result="Done.")]),
    "parked_and_redriven": Scenario(
        with_ladder,
        [fault(400), fault(529), fault(529), finish(result="Done at last.")],
        _update("answer", answer="redrive", note="the provider is back"),
    ),
    "parked_and_discarded": Scenario(
        reader,
        [call("look", where="attic"), fault(403), say("never said")],
        _update("answer", answer="discard", note="no"),
    ),
    "refusal_goes_to_the_next_rung": Scenario(
        with_ladder,
        [answer([{"type": "text", "text": "No."}], stop_reason="refusal"), finish(result="Done.")],
    ),
    "limit_last_turn": Scenario(
        limited,
        [
            call("look", where="attic"),
            call("look", where="cellar"),
            finish("partial", result="Two places.", reason="no more steps"),
        ],
    ),
    "bad_plan": Scenario(
        reader,
        [
            raw_tool_call("look", '{"where": NaN}'),
            calls(("lock", {"where": "attic"}), ("look", {"wher": "attic"}), ("read_log", {"page": "one"})),
            truncated_tool_call("look", '{"where": "at'),
            calls(("look", {"where": "attic"}), ("finish", {"status": "completed", "result": "Done."})),
            answer([{"type": "text", "text": " "}]),
            answer([{"type": "text", "text": "hm"}], stop_reason="pause_turn"),
            finish("done"),
            finish(result="Done."),
        ],
    ),
    "result_never_fits": Scenario(reporting, [finish(result={"stopped": n}) for n in (1, 2, 3)]),
    "guards_decide": Scenario(
        guarded,
        [
            calls(
                ("stop", {"instance": "prod-1", "cost": 5}),
                ("stop", {"instance": "staging-1", "cost": 5}),
                ("stop", {"instance": "dev-1", "cost": 5}),
                ("look", {"where": "attic"}),
            ),
            finish(result="Done."),
        ],
        _update("approve"),
    ),
    "writes_simulated": Scenario(
        observer,
        [
            calls(("stop", {"instance": "i-1"}), ("pay", {"order": "o-1", "amount": 1})),
            finish(result="Would."),
        ],
    ),
    "tools_fail": Scenario(
        failing,
        [
            calls(
                *(("flaky", {"how": how}) for how in ("transient", "correctable", "contract", "bug", "not"))
            ),
            finish(result="Seen."),
        ],
    ),
    "same_key_twice": Scenario(
        refunder,
        [
            calls(("refund", {"order": "o-1", "amount": 5}), ("refund", {"order": "o-1", "amount": 5})),
            call("refund", order="o-1", amount=9),
            finish(result="Once."),
        ],
    ),
    "question_answered": Scenario(
        reader,
        [call("ask_human", question="Which one?"), finish(result="That one.")],
        _update("answer", answer="the red one"),
    ),
    "remote_tool": Scenario(
        abroad, [call("convert", amount=2.5), call("nobody_serves"), finish(result="Converted.")]
    ),
    "limit_asked_and_raised": Scenario(
        asking,
        [
            call("look", where="attic"),
            finish("partial", result="The attic is empty.", reason="no more steps"),
            call("look", where="cellar"),
            finish(result="Both are empty."),
        ],
        _update("answer", answer="raise", result={"steps": "+5"}),
    ),
    "person_plans": Scenario(
        staffed,
        [fault(401), finish(result="Done.")],
        _update("answer", answer="plan", result=[{"tool": "look", "arguments": {"where": "attic"}}]),
    ),
    "compacted": Scenario(forgetful, _pages),
    "steered": Scenario(payer, PAY, _steer),
    "in_circles": Scenario(
        reader, [*[call("look", where="attic")] * 4, finish("partial", reason="there is nothing else")]
    ),
    "rolled_back": Scenario(
        cautious,
        [
            calls(("stop", {"instance": "i-1", "cost": 5}), ("stop", {"instance": "i-2", "cost": 5})),
            fault(403),
        ],
        _update("answer", answer="discard", note="no"),
    ),
    "parked_and_redriven_from_a_step": Scenario(
        reader,
        [call("look", where="attic"), fault(403), call("look", where="cellar"), finish(result="Done.")],
        _redrive_from_the_first_step,
    ),
    "credentials_renewed": Scenario(
        teller,
        [calls(("look", {"where": "vault"}), ("wire", {"order": "o-1"})), finish(result="Done.")],
        _approve_and_renew,
    ),
    "cancelled": Scenario(payer, PAY, _cancel),
    "invalid_input": Scenario(reader, given={"agents": "replay-reader"}),
    "agent_not_served": Scenario(reader, given={"agent": "nobody", "task": "Do it."}),
}
