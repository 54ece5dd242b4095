"""The scripted model plays lists, functions and conversations, records what came, and fails loudly."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic, BadRequestError
from anthropic.types import Message

from holdfast.testing import (
    Answer,
    MessagesServer,
    ModelRequest,
    Step,
    by_conversation,
    call,
    calls,
    cut,
    fault,
    finish,
    say,
)
from holdfast.testing.script_file import steps_from_json
from tests.activities.model_clients import HELLO, TOOL, client_of, created, streamed


async def test_a_list_is_played_in_order_and_everything_is_recorded() -> None:
    """Requests, calls and tokens can be read afterwards."""
    script: list[Step] = [
        calls(("look", {"at": 1}), ("look", {"at": 2})),
        fault(529),
        finish(result={"n": 2}),
    ]
    async with MessagesServer(script) as server, client_of(server) as client:
        first = await streamed(client, tools=[TOOL])
        results = [{"type": "tool_result", "tool_use_id": block.to_dict()["id"]} for block in first.content]
        more = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        with pytest.raises(Exception, match="overloaded_error"):
            await streamed(client, more, tools=[TOOL])
        await streamed(client, more, tools=[TOOL])
        server.assert_exhausted()
    assert [request.status for request in server.requests] == [200, 529, 200]
    assert [request.turn for request in server.requests] == [0, 1, 1]
    assert [block["tool_use_id"] for block in server.requests[1].tool_results] == ["toolu_1", "toolu_2"]
    assert [(call.id, call.name) for call in server.calls_made] == [
        ("toolu_1", "look"),
        ("toolu_2", "look"),
        ("toolu_3", "finish"),
    ]
    assert server.calls_made[2].arguments == {"status": "completed", "result": {"n": 2}}
    assert server.requests[0].api_key == "test"
    assert "test" not in repr(server.requests[0].headers)
    assert server.spent_tokens.output == sum(
        request.usage.get("output_tokens", 0) for request in server.requests
    )
    assert server.requests[2].messages[0] is server.requests[0].messages[0]


async def test_a_request_beyond_the_script_fails_loudly() -> None:
    """It is answered with a 400 that says what came, and leaving the server fails the test."""
    server = MessagesServer([say("Hello")])
    with pytest.raises(AssertionError, match="ran out at request 2: it holds 1 step"):  # noqa: PT012 - leaving raises
        async with server, client_of(server) as client:
            await created(client)
            with pytest.raises(BadRequestError, match=r"ran out at request 2.*of the user.*Hello"):
                await created(client)


async def test_leaving_a_lenient_server_says_nothing() -> None:
    """`strict=False` turns the judgement at the end off."""
    async with MessagesServer([], strict=False) as server, client_of(server) as client:
        with pytest.raises(BadRequestError, match="ran out"):
            await created(client)
    with pytest.raises(AssertionError, match="ran out"):
        server.assert_all_legal()


async def test_an_error_of_the_test_is_not_hidden_by_the_judgement() -> None:
    """What the server has against its requests becomes a note on the error that was under way."""
    server = MessagesServer([])
    with pytest.raises(BadRequestError) as caught:
        async with server, client_of(server) as client:
            await created(client)
    assert "ran out" in "".join(caught.value.__notes__)


async def test_what_was_not_played_is_told() -> None:
    """`assert_exhausted` lists the steps that nobody asked for."""
    async with MessagesServer([say("Hello"), fault(529)]) as server, client_of(server) as client:
        await created(client)
        with pytest.raises(AssertionError, match="step 2: fault 529"):
            server.assert_exhausted()


async def test_a_function_sees_the_request_and_may_wait() -> None:
    """A script can be a function, sync or async; an async one holds the answer until the test lets it go."""
    gate = asyncio.Event()

    async def script(request: ModelRequest) -> Answer:
        await gate.wait()
        return say(f"turn {request.turn} of {request.conversation}, {request.tool_names}")

    async with MessagesServer(script) as server, client_of(server) as client:
        asked = asyncio.create_task(created(client, tools=[TOOL]))
        request = await server.wait_for_request(1)
        assert (request.status, request.answered_with) == (None, "nothing yet")
        gate.set()
        message = await asked
    assert message.content[0].to_dict()["text"] == "turn 0 of Hello, ['look']"


async def test_a_function_that_fails_is_told_to_both_sides() -> None:
    """An exception of the test's function is the 400 of the request and the end of the test."""
    server = MessagesServer(lambda request: say(str(1 // request.turn)))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):  # noqa: PT012 - leaving raises
        async with server, client_of(server) as client:
            with pytest.raises(BadRequestError, match="ZeroDivisionError"):
                await created(client)


async def test_each_conversation_plays_its_own_copy_and_repeats_give_the_same_answer() -> None:
    """Place and ids follow from the transcript, so concurrent and repeated requests are answered alike."""
    script = by_conversation([call("look", at=1), say("Done")])
    async with MessagesServer(script) as server, client_of(server) as client:

        async def converse(task: str) -> list[Message]:
            messages: list[Any] = [{"role": "user", "content": task}]
            first, again = (
                await streamed(client, messages, tools=[TOOL]),
                await streamed(client, messages, tools=[TOOL]),
            )
            messages.append({"role": "assistant", "content": first.content})
            messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]})
            return [first, again, await streamed(client, messages, tools=[TOOL])]

        left, right = await asyncio.gather(converse("left"), converse("right"))
        server.assert_exhausted()
    for first, again, last in (left, right):
        assert first.content == again.content
        assert first.id == again.id
        assert first.content[0].to_dict()["id"] == "toolu_1"
        assert last.content[0].to_dict()["text"] == "Done"
    assert left[0].id != right[0].id


async def test_faults_of_a_conversation_are_played_once_before_their_answer() -> None:
    """A fault takes no place in the conversation: the retry gets the answer behind it."""
    async with (
        MessagesServer(by_conversation([fault(529), cut(), say("Hello")])) as server,
        client_of(server) as client,
    ):
        for _ in range(2):
            with pytest.raises(Exception, match=r"overloaded|Connection error"):
                await created(client)
        assert (await created(client)).id == (await created(client)).id


async def test_conversations_can_have_lists_of_their_own() -> None:
    """A mapping gives each conversation the list whose key its first message holds; another one is told so."""
    script = by_conversation({"Count": [say("3")], "Stop": [say("Stopped")]})
    server = MessagesServer(script, strict=False)
    async with server, client_of(server) as client:
        counted = await created(client, [{"role": "user", "content": "Count them"}])
        assert counted.content[0].to_dict()["text"] == "3"
        with pytest.raises(BadRequestError, match=r"no list for the conversation that starts with .*Hello"):
            await created(client)
    assert script.unplayed() == ["the whole list of 'Stop'"]


def test_a_script_of_something_else_is_refused_when_it_is_written() -> None:
    """A list that holds no steps says which entry is wrong, and a server that is not entered has no address."""
    with pytest.raises(TypeError, match="Step 2 of the script is 'Hello'"):
        MessagesServer([say("Hello"), "Hello"])  # type: ignore[list-item]
    with pytest.raises(RuntimeError, match="enter it with"):
        _ = MessagesServer([]).base_url


async def test_a_scripted_model_runs_as_a_process(tmp_path: Path) -> None:
    """`python -m holdfast.testing script.json` prints its address, serves, and ends on SIGTERM with code 0."""
    script = tmp_path / "script.json"
    script.write_text('[{"say": "Hello"}, {"slow": {"step": {"call": {"tool": "look"}}, "delay": 0.01}}]')
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast.testing", str(script), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().strip()
    async with AsyncAnthropic(api_key="test", base_url=address, max_retries=0) as client:
        assert (await created(client)).stop_reason == "end_turn"
        assert (await created(client)).stop_reason == "tool_use"
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


@pytest.mark.parametrize(
    "written, told",
    [
        ({"say": "Hello"}, "A script is a list"),
        ([{"sing": "Hello"}], "step 1 is .* must be an object with one key of say"),
        ([{"call": {"instrument": 1}}], "step 1 does not fit call"),
        ([{"cut": {"answer": {"fault": {"status": 529}}}}], "the answer of step 1 is a fault"),
    ],
)
def test_a_bad_script_file_says_which_step_is_wrong(written: Any, told: str) -> None:
    """Scripts from JSON are checked before anything is served."""
    with pytest.raises(ValueError, match=told):
        steps_from_json(written)
