"""A run that is completed has a result of its agent's type: what the type refuses is sent back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Self

import pytest
from pydantic import BaseModel, Field, model_validator

from holdfast import Agent, Call, Finish, Limits, PlanView, Rules, UsageError
from holdfast.testing import call, finish, raw_tool_call
from tests.stage import CLAUDE, SetStage


class Split(BaseModel):
    """A sum in parts, which only code can check."""

    total: Decimal = Field(gt=0)
    parts: list[Decimal]

    @model_validator(mode="after")
    def parts_make_the_total(self) -> Self:
        """Refuse parts that do not add up."""
        if sum(self.parts) != self.total:
            raise ValueError(f"the parts add up to {sum(self.parts)}")
        return self


AGENT = Agent(name="splitter", instructions="Split.", output=Split, ladder=[CLAUDE])
RIGHT = {"total": "5", "parts": ["2", "3"]}
WRONG = {"total": "5", "parts": ["2", "2"]}


async def test_what_the_types_own_code_refuses_is_sent_back(stage: SetStage) -> None:
    """A result that fits the schema and not the validators goes back with the validator's words."""
    async with stage(AGENT, [finish(result=WRONG), finish(result=RIGHT)]) as on:
        assert await on.result() == Split(total=Decimal(5), parts=[Decimal(2), Decimal(3)])
        (told,) = on.told()
        assert "the parts add up to 4" in told
        assert "call finish again" in told


@pytest.mark.parametrize("bad", [finish(result=WRONG), raw_tool_call("finish", '{"status": "compl')])
async def test_a_result_that_never_fits_ends_the_run_in_time(stage: SetStage, bad: Any) -> None:
    """Three times sent back, the run ends as partial, with what was handed in."""
    async with stage(AGENT, [bad, bad, bad]) as on:
        outcome = await on.outcome()
        assert outcome.status == "partial"
        assert outcome.output in (WRONG, None)
        assert "does not fit the output type" in outcome.reason


async def test_on_the_last_turn_a_result_that_does_not_fit_is_kept(stage: SetStage) -> None:
    """There is no turn left to correct it: the run ends as partial, and nothing is lost."""
    agent = AGENT.but(limits=Limits(steps=1))
    async with stage(agent, [call("nothing"), finish(result=WRONG)]) as on:
        outcome = await on.outcome()
        assert (outcome.status, outcome.output) == ("partial", WRONG)


async def test_half_a_result_need_not_fit(stage: SetStage) -> None:
    """A partial result is data, whatever the type says."""
    async with stage(AGENT, [finish(result=WRONG, status="partial", reason="one part is missing")]) as on:
        outcome = await on.outcome()
        assert (outcome.status, outcome.output, outcome.reason) == ("partial", WRONG, "one part is missing")


async def test_rules_are_held_to_the_type_too(stage: SetStage) -> None:
    """A rule planner that hands in what does not fit reads why, and may do better."""

    def plan(view: PlanView) -> list[Call] | Finish:
        return Finish(RIGHT if any("add up to 4" in str(made.result) for made in view.calls) else WRONG)

    async with stage(AGENT.but(ladder=[Rules(plan)])) as on:
        assert (await on.result()).total == 5


async def test_a_client_with_another_type_is_told(stage: SetStage) -> None:
    """The output is there as data; that it does not fit the type of this process is the caller's to settle."""
    other = Agent(name="splitter", instructions="Split.", output=dict[str, int], ladder=[CLAUDE])
    async with stage(AGENT, [finish(result=RIGHT)]) as on:
        run = await on.start()
        assert (await run.result()).total == 5
        with pytest.raises(UsageError, match="does not fit the type of agent 'splitter' here"):
            await on.client.run(run.id, other).result()
        assert (await on.client.run(run.id).result()) == RIGHT
