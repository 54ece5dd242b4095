"""Every reason for which a model stops has its consequence, known to the API today or not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import BaseModel

from holdfast import Agent, Model, tool
from holdfast.testing import (
    Answer,
    Block,
    answer,
    call,
    calls,
    finish,
    say,
    thinking,
    truncated_tool_call,
)
from tests.stage import CLAUDE, QUICKLY, SetStage

LOOKED: list[str] = []


@tool(effect="read")
async def look(where: str) -> str:
    """Look somewhere."""
    LOOKED.append(where)
    return f"nothing at {where}"


class Report(BaseModel):
    found: int


TALKER = Agent(name="talker", instructions="Answer.", tools=[look], ladder=[CLAUDE])
REPORTER = TALKER.but(name="reporter", output=Report)
SECOND = Model("claude-haiku-4-5", max_tokens=1_000, retry=QUICKLY)
TWO_RUNGS = TALKER.but(name="two-rungs", ladder=[CLAUDE, SECOND])


def stopped(reason: str | None, text: str = "Hm.") -> Answer:
    """A text, and a reason to stop."""
    return answer([{"type": "text", "text": text}], stop_reason=reason)


def cut_off(text: str = "and then, and then") -> Answer:
    """An answer that reached the output limit."""
    return stopped("max_tokens", text)


async def test_text_is_the_result_of_an_agent_whose_output_is_text(stage: SetStage) -> None:
    """An answer without calls ends the run, and its words are the result."""
    async with stage(TALKER, [say("It is 42.")]) as on:
        run = await on.start()
        assert await run.result() == "It is 42."
        assert [step.stop_reason for step in (await run.inspect()).steps] == ["end_turn"]


async def test_a_stop_sequence_ends_a_turn_as_its_end_does(stage: SetStage) -> None:
    """`stop_sequence` is another way to be done."""
    async with stage(TALKER, [stopped("stop_sequence", "Done.")]) as on:
        assert await on.result() == "Done."


async def test_text_from_an_agent_with_an_output_type_is_answered_with_a_request_to_finish(
    stage: SetStage,
) -> None:
    """A typed result comes by `finish`, which checks it; mere words do not end such a run."""
    async with stage(REPORTER, [say("I found 3."), finish(result={"found": 3})]) as on:
        assert await on.result() == Report(found=3)
        assert "calling `finish`" in on.said()


async def test_an_agent_that_never_finishes_hands_back_its_words_as_partial(stage: SetStage) -> None:
    """After three answers in words where a result is due, the run ends with the words."""
    async with stage(REPORTER, [say("Three."), say("Three!"), say("I said three.")]) as on:
        outcome = await on.outcome()
    assert (outcome.status, outcome.output) == ("partial", "I said three.")


@pytest.mark.parametrize(
    "silence",
    [
        answer([]),
        answer([{"type": "text", "text": ""}]),
        answer([{"type": "text", "text": " \n"}]),
        answer([thinking("…")]),
    ],
    ids=["no content", "empty text", "white space", "thinking only"],
)
async def test_silence_is_answered_with_a_question(stage: SetStage, silence: Answer) -> None:
    """An answer that says nothing is sent back in a legal form, with a question about what blocks the model."""
    async with stage(TALKER, [silence, say("Nothing blocks me.")]) as on:
        assert await on.result() == "Nothing blocks me."
        assert "what blocks you?" in on.said()


async def test_parallel_calls_are_answered_in_their_order_in_the_next_message(stage: SetStage) -> None:
    """Several calls of one answer run, and all results stand first in the next user message, in order."""
    LOOKED.clear()
    plan = calls(*(("look", {"where": place}) for place in "abc"), text="Looking.")
    async with stage(TALKER, [plan, say("ok")]) as on:
        await on.result()
        last = on.model.requests[-1].messages[-1]
    assert [block["type"] for block in last["content"]] == ["tool_result"] * 3
    assert on.told() == ["nothing at a", "nothing at b", "nothing at c"]
    assert [b["tool_use_id"] for b in last["content"]] == [made.id for made in on.model.calls_made]
    assert sorted(LOOKED) == ["a", "b", "c"]


async def test_calls_in_an_answer_that_ended_its_turn_are_carried_out(stage: SetStage) -> None:
    """Some gateways say `end_turn` where calls wait for their results: the calls count."""
    block = {"type": "tool_use", "id": "toolu_a", "name": "look", "input": {"where": "here"}}
    async with stage(TALKER, [answer([block], stop_reason="end_turn"), say("ok")]) as on:
        assert await on.result() == "ok"
        assert on.told(1) == ["nothing at here"]


async def test_a_text_that_was_cut_off_gets_more_room(stage: SetStage) -> None:
    """After `max_tokens` the model is told, and the next answers may be two and four times as long."""
    async with stage(TALKER, [cut_off(), cut_off(), say("Short.")]) as on:
        assert await on.result() == "Short."
        limits = [request.body["max_tokens"] for request in on.model.requests]
        assert "cut off at the output limit" in on.said()
    assert limits == [8_192, 16_384, 32_768]


async def test_the_room_is_back_to_normal_after_an_answer_that_fits(stage: SetStage) -> None:
    """A raised output limit holds for the answer after the one that was cut off, not for ever."""
    async with stage(TALKER, [cut_off(), call("look", where="here"), say("ok")]) as on:
        await on.result()
        limits = [request.body["max_tokens"] for request in on.model.requests]
    assert limits == [8_192, 16_384, 8_192]


async def test_a_call_that_was_cut_off_is_not_run(stage: SetStage) -> None:
    """Half a call looks like a whole one with few arguments: only the stop reason says not to run it."""
    LOOKED.clear()
    async with stage(TALKER, [truncated_tool_call("look", '{"where": "here"}'), say("Sorry.")]) as on:
        assert await on.result() == "Sorry."
        assert on.model.requests[1].tool_results[0]["is_error"]
    assert LOOKED == []


async def test_three_answers_cut_off_in_a_row_go_to_the_next_rung(stage: SetStage) -> None:
    """A planner that moves nothing three times is taken for failed, and the next one plans with its own limit."""
    async with stage(TWO_RUNGS, [cut_off(), cut_off(), cut_off(), say("In short: no.")]) as on:
        run = await on.start()
        assert await run.result() == "In short: no."
        assert [request.model for request in on.model.requests] == ["claude-sonnet-5"] * 3 + [
            "claude-haiku-4-5"
        ]
        assert on.model.requests[-1].body["max_tokens"] == 1_000
        assert [step.rung for step in (await run.inspect()).steps] == [0, 0, 0, 1]


async def test_three_answers_cut_off_on_the_last_rung_park_the_run(stage: SetStage) -> None:
    """Nobody is left to plan: a human is asked, and `redrive` lets the run go on from where it stopped."""
    async with stage(TALKER, [cut_off(), cut_off(), cut_off(), say("Better now.")]) as on:
        run = await on.start()
        request = await run.next_request(kind="parked")
        assert "3 answers in a row moved nothing" in request.why
        assert (await run.inspect()).status == "parked"
        await run.answer(request, "redrive", by="dana")
        assert await run.result() == "Better now."


@pytest.mark.parametrize("reason", ["refusal", "model_context_window_exceeded"])
async def test_an_answer_that_was_declined_goes_to_the_next_rung(stage: SetStage, reason: str) -> None:
    """After a refusal, or where the context is too long, another planner is asked the same; the rest is not kept."""
    async with stage(TWO_RUNGS, [stopped(reason, "I cannot"), say("I can.")]) as on:
        assert await on.result() == "I can."
        first, second = on.model.requests
    assert (first.model, second.model) == ("claude-sonnet-5", "claude-haiku-4-5")
    assert first.messages == second.messages


async def test_a_refusal_on_the_last_rung_parks_the_run_until_it_is_redriven(stage: SetStage) -> None:
    """The run waits for a human with everything kept, and completes when it is told to try again."""
    async with stage(TALKER, [call("look", where="here"), stopped("refusal"), say("Now I can.")]) as on:
        run = await on.start()
        request = await run.next_request()
        assert (request.kind, request.by) == ("parked", "operator")
        assert "refusal" in request.why
        await run.answer(request, "redrive", by="dana", note="tried again after a change of policy")
        assert await run.result() == "Now I can."
        assert len((await run.inspect()).steps) == 2


async def test_a_parked_run_can_be_discarded(stage: SetStage) -> None:
    """A human may end a parked run; its outcome says who, why, and what had failed."""
    async with stage(TALKER, [stopped("refusal")]) as on:
        run = await on.start()
        await run.answer(await run.next_request(), "discard", by="dana", note="not worth it")
        outcome = await run.outcome()
    assert (outcome.status, outcome.reason) == ("failed", "discarded by dana: not worth it")
    assert outcome.failure is not None
    assert outcome.failure.error == "refusal"


async def test_a_paused_turn_is_continued_with_the_providers_own_blocks_intact(stage: SetStage) -> None:
    """Server tools work inside the model's message: after `pause_turn` it is sent back as it is, and goes on."""
    paused: list[Block] = [
        {"type": "text", "text": "Searching."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "idle"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [
                {"type": "web_search_result", "url": "https://example.com", "encrypted_content": "ü="}
            ],
        },
    ]
    async with stage(TALKER, [answer(paused, stop_reason="pause_turn"), say("Found it.")]) as on:
        assert await on.result() == "Found it."
        last = on.model.requests[1].messages[-1]
    assert (last["role"], last["content"]) == ("assistant", paused)


@pytest.mark.parametrize("reason", ["daydreaming", None], ids=["unknown", "missing"])
async def test_an_unknown_stop_reason_carries_nothing_out_and_asks_again(
    stage: SetStage, reason: str | None
) -> None:
    """What tomorrow's API may say is not guessed at: the model is told, and repeats its answer."""
    async with stage(TALKER, [stopped(reason, "Perhaps."), say("Certainly.")]) as on:
        assert await on.result() == "Certainly."
        assert "unknown reason" in on.said()


async def test_thinking_goes_back_byte_for_byte(stage: SetStage) -> None:
    """Thinking, empty thinking with a signature, and redacted thinking are echoed exactly as they came."""
    blocks: list[Block] = [
        thinking("Zwei sind müßig…  \n\t"),
        thinking("", signature="sig-of-nothing=="),
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": " \n"},
        {"type": "tool_use", "id": "toolu_a", "name": "look", "input": {"where": "hier: 世界"}},
    ]
    thoughtful = TALKER.but(
        name="thoughtful",
        ladder=[
            Model("claude-sonnet-5", thinking={"type": "enabled", "budget_tokens": 2_048}, retry=QUICKLY)
        ],
    )
    async with stage(thoughtful, [answer(blocks, stop_reason="tool_use"), say("ok")]) as on:
        await on.result()
        first, second = on.model.requests
    assert first.body["thinking"] == {"type": "enabled", "budget_tokens": 2_048}
    assert second.messages[-2]["content"] == blocks


async def test_blocks_of_unknown_types_are_kept_and_sent_back(stage: SetStage) -> None:
    """A block type that nobody knows yet goes back unchanged, with all its fields."""
    blocks: list[Block] = [
        {"type": "hologram", "shape": {"faces": 6}, "ok": None},
        {
            "type": "tool_use",
            "id": "toolu_a",
            "name": "look",
            "input": {"where": "here"},
            "caller": {"type": "direct"},
        },
    ]
    async with stage(TALKER, [answer(blocks, stop_reason="tool_use"), say("ok")]) as on:
        await on.result()
        assert on.model.requests[1].messages[-2]["content"] == blocks


async def test_usage_and_cost_of_every_answer_are_recorded(stage: SetStage) -> None:
    """Each step has its own tokens and price; the run has their sum; a refused answer is paid for too."""
    used = {"input_tokens": 1_000, "output_tokens": 100, "cache_read_input_tokens": 5_000}
    declined = answer([{"type": "text", "text": "No."}], stop_reason="refusal", usage=used)
    asked = answer(
        [{"type": "tool_use", "id": "toolu_a", "name": "look", "input": {"where": "here"}}],
        stop_reason="tool_use",
        usage={**used, "output_tokens": 200},
    )
    done = answer([{"type": "text", "text": "Done."}], usage=used)
    async with stage(TALKER.but(name="payer", ladder=[CLAUDE, CLAUDE]), [declined, asked, done]) as on:
        run = await on.start()
        outcome = await run.outcome()
        steps = (await run.inspect()).steps
    assert [step.usage.output_tokens for step in steps] == [200, 100]
    assert steps[0].usage.cache_read_tokens == 5_000
    assert steps[1].usage.cost_usd > 0
    assert outcome.usage.model_calls == 3
    assert outcome.usage.cost_usd == 2 * steps[1].usage.cost_usd + steps[0].usage.cost_usd
    assert outcome.usage.unpriced == 0


async def test_a_model_without_a_known_price_is_counted_as_unpriced(stage: SetStage) -> None:
    """What nobody knows the price of is never counted as free."""
    async with stage(
        TALKER.but(name="odd", ladder=[Model("my-own-model", retry=QUICKLY)]), [say("ok")]
    ) as on:
        usage = (await on.outcome()).usage
    assert (usage.cost_usd, usage.unpriced, usage.model_calls) == (Decimal(0), 1, 1)
