"""The scripted model refuses what the real Messages API refuses, in its words, and accepts what that accepts."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from anthropic import BadRequestError

from holdfast.testing import MessagesServer, answer, call, calls, say, thinking
from tests.activities.model_clients import HELLO, TOOL, client_of, created


def use(id: str = "t1", **more: Any) -> dict[str, Any]:  # noqa: A002 - the API's own word for it
    return {"type": "tool_use", "id": id, "name": "look", "input": {}, **more}


def result(id: str = "t1", **more: Any) -> dict[str, Any]:  # noqa: A002 - the API's own word for it
    return {"type": "tool_result", "tool_use_id": id, "content": "seen", **more}


def text(words: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def turns(*contents: Any) -> list[dict[str, Any]]:
    """Messages of alternating roles, the user's first."""
    return [
        {"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(contents)
    ]


CACHED: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}

ILLEGAL: dict[str, tuple[dict[str, Any], str]] = {
    "no max_tokens": ({"max_tokens": None}, "max_tokens: Field required"),
    "no messages": ({"messages": []}, "at least one message is required"),
    "a strange role": (
        {"messages": [{"role": "robot", "content": "Hi"}]},
        "messages.0.role: Input should be",
    ),
    "the model speaks first": ({"messages": turns("Hi", "Hi")[1:]}, 'first message must use the "user" role'),
    "the model speaks last": ({"messages": turns("Hi", "Hi")}, "does not support assistant message prefill"),
    "an empty message": ({"messages": turns("")}, "messages.0: user messages must have non-empty content"),
    "an empty text": ({"messages": turns([text("")])}, "text content blocks must be non-empty"),
    "an empty text of the model": ({"messages": turns("Hi", [text("")], "Hi")}, "must be non-empty"),
    "an empty text in a result": (
        {"messages": turns("Hi", [use()], [result(content=[text("")])])},
        "text content blocks must be non-empty",
    ),
    "an empty system text": ({"system": [text("")]}, "system: text content blocks must be non-empty"),
    "a call without result": (
        {"messages": turns("Hi", [use(), use("t2")], [result("t2")])},
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1.",
    ),
    "a call at the end": (
        {"messages": turns("Hi", [use()])},
        "without `tool_result` blocks immediately after: t1",
    ),
    "a result behind a text": (
        {"messages": turns("Hi", [use()], [text(), result()])},
        "without `tool_result` blocks immediately after: t1",
    ),
    "a result without call": (
        {"messages": turns("Hi", "Hi", [result()])},
        "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t1.",
    ),
    "a result of an earlier turn": (
        {"messages": turns("Hi", [use()], [result()], "Hi", [result()])},
        "messages.4.content.0: unexpected `tool_use_id`",
    ),
    "two results of one call": (
        {"messages": turns("Hi", [use()], [result(), result()])},
        "each tool_use must have a single result",
    ),
    "two calls with one id": (
        {"messages": turns("Hi", [use(), use()], [result()])},
        "messages.1.content.1: `tool_use` ids must be unique",
    ),
    "a call of the user": (
        {"messages": turns([use()])},
        "`tool_use` blocks can only be in `assistant` messages",
    ),
    "a result of the model": ({"messages": turns("Hi", [result()], "Hi")}, "can only be in `user` messages"),
    "arguments that are no object": (
        {"messages": turns("Hi", [use(input=["a"])], [result()])},
        "messages.1.content.0.tool_use.input: Input should be a valid dictionary",
    ),
    "a call of a name with a dot": (
        {"messages": turns("Hi", [use(name="a.b")], [result()])},
        "messages.1.content.0.tool_use.name: String should match pattern",
    ),
    "a result that is an object": (
        {"messages": turns("Hi", [use()], [result(content={"a": 1})])},
        "tool_result.content: Input should be a valid list",
    ),
    "a field that the SDK added": (
        {"messages": turns("Hi", [text(parsed_output=None)], "Hi")},
        "messages.1.content.0.text.parsed_output: Extra inputs are not permitted",
    ),
    "a block type never sent": ({"messages": turns([{"type": "hologram"}])}, "Input tag 'hologram' found"),
    "a tool name with a dot": (
        {"tools": [{**TOOL, "name": "a.b"}]},
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "two tools of one name": ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    "a tool without schema": ({"tools": [{"name": "look"}]}, "tools.0.custom.input_schema: Field required"),
    "a schema that is a union": (
        {"tools": [{"name": "look", "input_schema": {"type": "object", "anyOf": []}}]},
        "does not support oneOf, allOf, or anyOf at the top level",
    ),
    "a choice of no tool": ({"tool_choice": {"type": "tool", "name": "fly"}}, "Tool 'fly' not found"),
    "calls without tools": (
        {"messages": turns("Hi", [use()], [result()]), "tools": None},
        "must define tools",
    ),
    "five breakpoints": (
        {
            "messages": turns([text(**CACHED)] * 3, "Hi", "Hi"),
            "system": [text(**CACHED)],
            "tools": [{**TOOL, **CACHED}],
        },
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "a long breakpoint behind a short one": (
        {
            "system": [text(**CACHED)],
            "messages": turns([text(cache_control={"type": "ephemeral", "ttl": "1h"})]),
        },
        "must not come after a ttl='5m'",
    ),
    "invented thinking": (
        {"messages": turns("Hi", [thinking("Hm."), text()], "Hi")},
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "calls without the thinking that is enabled": (
        {
            "messages": turns("Hi", [use()], [result()]),
            "thinking": {"type": "enabled", "budget_tokens": 10},
        },
        "Expected `thinking` or `redacted_thinking`, but found `tool_use`",
    ),
    "no room behind the thinking": (
        {"thinking": {"type": "enabled", "budget_tokens": 100}},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
}


async def posted(server: MessagesServer, body: Any, **headers: str) -> httpx2.Response:
    """The answer to a body that the SDK would not let pass, or would repair."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    own = {"x-api-key": "test", "anthropic-version": "2023-06-01"}
    async with httpx2.AsyncClient() as client:
        return await client.post(f"{server.base_url}/v1/messages", content=content, headers=own | headers)


@pytest.mark.parametrize("case", ILLEGAL)
async def test_an_illegal_request_is_refused_in_the_words_of_the_real_api(case: str) -> None:
    """It gets a 400, no step of the script is used up, and a strict server fails the test."""
    change, told = ILLEGAL[case]
    whole = {"model": "m-1", "max_tokens": 100, "messages": HELLO, "tools": [TOOL], **change}
    server = MessagesServer([say("Hello")], strict=False)
    async with server:
        refused = await posted(server, {name: value for name, value in whole.items() if value is not None})
        assert refused.status_code == 400, refused.text
        assert refused.json()["error"]["type"] == "invalid_request_error"
        assert told in refused.json()["error"]["message"]
        assert (await posted(server, {"model": "m-1", "max_tokens": 1, "messages": HELLO})).status_code == 200
    with pytest.raises(AssertionError, match="request 1: "):
        server.assert_all_legal()
    assert len(server.refusals) == 1


@pytest.mark.parametrize(
    "body, told",
    [
        (b"{", "Expecting property name"),
        (b'{"model": NaN}', "NaN is not a JSON value"),
        (b'{"model": "\\ud83d"}', "no low surrogate in string: line 1 column 12 (char 11)"),
        (b'{"model": "\xff"}', "can't decode byte"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"model": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[]", "Input should be a valid dictionary"),
    ],
    ids=["half", "nan", "surrogate", "bytes", "deep", "long number", "list"],
)
async def test_a_body_that_is_no_json_is_refused(body: bytes, told: str) -> None:
    """What a careless encoder lets through, the API does not."""
    async with MessagesServer([], strict=False) as server:
        refused = await posted(server, body)
    assert refused.status_code == 400
    assert told in refused.json()["error"]["message"]


async def test_a_request_without_version_is_refused() -> None:
    """The version header is not optional."""
    async with MessagesServer([], strict=False) as server:
        refused = await posted(server, {}, **{"anthropic-version": ""})
    assert refused.json()["error"]["message"] == "anthropic-version: header is required"


async def test_a_body_of_more_than_32_mb_is_too_large() -> None:
    """The limit of the real API holds here too, and is an answer rather than a mistake of the test."""
    async with MessagesServer([]) as server:
        refused = await posted(server, {"messages": "x" * 34_000_000})
    assert refused.status_code == 413
    assert refused.json()["error"]["type"] == "request_too_large"


LEGAL: dict[str, Any] = {
    "two messages of one role": [*HELLO, *HELLO],
    "results in two messages": [
        *turns("Hi", [use(), use("t2")], [result()]),
        {"role": "user", "content": [result("t2")]},
    ],
    "text behind results": turns("Hi", [use()], [result(), text()]),
    "an id that was used before": turns("Hi", [use()], [result()], [use()], [result()]),
    "white space": turns("Hi", [text("\n"), use()], [result()]),
    "empty results": turns(
        "Hi", [use(), use("t2")], [result(content=""), result("t2", content=[], is_error=True)]
    ),
    "an emoji as two escapes": turns("\U0001f600"),
    "a server tool": turns(
        "Hi",
        [
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
        ],
        "Hi",
    ),
}


@pytest.mark.parametrize("case", LEGAL)
async def test_what_the_real_api_accepts_is_accepted(case: str) -> None:
    """The check is no stricter than the original where real traffic shows it lenient."""
    async with MessagesServer([say("Hello")]) as server:
        body = {"model": "m-1", "max_tokens": 100, "messages": LEGAL[case], "tools": [TOOL]}
        accepted = await posted(server, body)
    assert accepted.status_code == 200, accepted.text


THOUGHT = answer(
    [thinking("Two are idle."), {"type": "redacted_thinking", "data": "b2s="}, use()], stop_reason="tool_use"
)


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda content: content, None),
        (lambda content: [{**content[0], "thinking": "Three are idle."}, *content[1:]], "cannot be modified"),
        (lambda content: [{**content[0], "signature": "sig_other"}, *content[1:]], "Invalid `signature`"),
        (lambda content: [content[0], {**content[1], "data": "bm8="}, content[2]], "Invalid `data`"),
        (lambda content: content[1:], "cannot be modified"),
        (lambda content: [content[1], content[0], content[2]], "cannot be modified"),
        (lambda content: content[2:], "cannot be modified"),
    ],
    ids=[
        "as sent",
        "other words",
        "other signature",
        "other data",
        "one left out",
        "reordered",
        "all left out",
    ],
)
async def test_thinking_must_come_back_as_it_was_sent(change: Any, told: str | None) -> None:
    """Altered, reordered or dropped thinking is a 400; the untouched blocks are accepted."""
    server = MessagesServer([THOUGHT, say("Done")], strict=False)
    async with server, client_of(server) as client:
        sent = [block.to_dict() for block in (await created(client, tools=[TOOL])).content]
        messages = [
            *HELLO,
            {"role": "assistant", "content": change(sent)},
            {"role": "user", "content": [result()]},
        ]
        if told is None:
            await created(client, messages, tools=[TOOL])
        else:
            with pytest.raises(BadRequestError, match=told):
                await created(client, messages, tools=[TOOL])


async def test_thinking_of_another_server_can_be_accepted() -> None:
    """A transcript that was begun elsewhere is continued by asking for it."""
    messages = turns("Hi", [thinking("Hm."), use()], [result()])
    async with (
        MessagesServer([say("Done")], accept_foreign_thinking=True) as server,
        client_of(server) as client,
    ):
        await created(client, messages, tools=[TOOL])


async def test_what_the_server_sent_may_come_back_unchanged() -> None:
    """Unknown block types and unknown fields are accepted from a client that keeps what it does not know."""
    sent: list[dict[str, Any]] = [
        {"type": "hologram", "shape": "cube"},
        text(mood="calm"),
        use(id="t1", colour="red"),
    ]
    script = [answer(sent, stop_reason="tool_use"), say("Done")]
    async with MessagesServer(script) as server, client_of(server) as client:
        await created(client, tools=[TOOL])
        await created(client, turns("Hello", sent, [result()]), tools=[TOOL])


async def test_a_paused_turn_is_continued_by_sending_it_back() -> None:
    """After `pause_turn` the transcript may end with the model's own message, else it may not."""
    async with (
        MessagesServer([answer([text("Searching…")], stop_reason="pause_turn"), say("Found.")]) as server,
        client_of(server) as client,
    ):
        paused = await created(client)
        await created(client, [*HELLO, {"role": "assistant", "content": paused.content}])


async def test_parallel_calls_go_round_in_one_turn() -> None:
    """The ordinary conversation of an agent is legal from its first request to its last."""
    script = [calls(("look", {"at": 1}), ("look", {"at": 2}), text="Both."), call("look", at=3), say("Done")]
    async with MessagesServer(script) as server, client_of(server) as client:
        messages: list[Any] = [*HELLO]
        while (plan := await created(client, messages, tools=[TOOL])).stop_reason == "tool_use":
            uses = [block for block in plan.content if block.type == "tool_use"]
            messages.append({"role": "assistant", "content": plan.content})
            messages.append({"role": "user", "content": [result(block.id) for block in uses]})
        server.assert_exhausted()
    assert [played.id for played in server.calls_made] == ["toolu_1", "toolu_2", "toolu_3"]
