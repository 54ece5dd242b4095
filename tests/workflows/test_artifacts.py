"""Results too large for a transcript: the model gets their ends and pages through the rest, and history stays small."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from holdfast import Agent, tool
from holdfast.artifacts import artifact_store
from holdfast.testing import call, finish
from holdfast.testing.answers import Answer
from holdfast.testing.model_request import ModelRequest
from tests.stage import CLAUDE, SetStage

FIFTY_MB = 50 * 1024 * 1024
WRITTEN: list[str] = []


@tool(effect="read")
async def dump() -> str:
    """Fetch a log of fifty megabytes, with one line of interest near its end."""
    return "a" * (FIFTY_MB - 1000) + "the needle: 42" + "z" * 986


@tool(effect="read")
async def rows() -> list[dict[str, Any]]:
    """Fetch more rows than a safe copy of a result holds."""
    return [{"id": at, "name": "ü😀"} for at in range(150_000)]


@tool(effect="read")
async def odd() -> Any:
    """Return bytes that are no text."""
    return b"\xff\x00\xfe" * 20_000


@tool(effect="irreversible", waiver="a list")
async def write() -> str:
    """Write once, and return a lot."""
    WRITTEN.append("written")
    return "w" * 50_000


READER = Agent(
    name="reader", instructions="Read.", tools=[dump, rows, odd, write], ladder=[CLAUDE], autonomy="full"
)


def artifact_in(text: str) -> str:
    """The id of the artifact that a result speaks of."""
    found = re.search(r"artifact ([0-9a-f]{32})", text)
    assert found is not None, text[-500:]
    return found[1]


async def test_a_result_of_fifty_megabytes_is_read_in_pages(stage: SetStage) -> None:
    """It is shown in 16,000 characters, searched and paged through; history holds kilobytes of it."""

    def script(request: ModelRequest) -> Answer:
        match request.turn:
            case 0:
                assert "read_artifact" not in request.tool_names
                return call("dump")
            case 1:
                assert "read_artifact" in request.tool_names
                return call("read_artifact", artifact=artifact_in(told(request)), find="needle")
            case 2:
                return call("read_artifact", artifact=artifact_in(told(request)), offset=FIFTY_MB - 986)
            case _:
                return finish(result="42")

    async with stage(READER, script) as on:
        run = await on.start()
        assert await run.result() == "42"
        shown, found, end = (on.told(at)[0] for at in (1, 2, 3))
        view = await run.inspect()
        history = await on.client.temporal.get_workflow_handle(run.id).fetch_history()
    assert len(shown) <= 16_000
    assert shown.startswith("aaa")
    assert shown.endswith("zzz")
    assert "the needle: 42" in found.split("\n", 1)[1][:300]
    assert end.endswith("z" * 986)
    assert "this is its end" in end
    assert [(ref.bytes, ref.call) for ref in view.artifacts] == [(FIFTY_MB, "1.1")]
    assert sum(event.ByteSize() for event in history.events) < 100_000


def told(request: ModelRequest) -> str:
    """The last result that the model was given."""
    return str(request.tool_results[-1]["content"])


async def test_rows_are_kept_whole_and_pages_end_with_whole_characters(stage: SetStage) -> None:
    """Nothing of a large JSON value is left out of its artifact, and no page breaks an emoji."""

    def script(request: ModelRequest) -> Answer:
        if request.turn == 0:
            return call("rows")
        if request.turn < 4:
            artifact = artifact_in(told(request))
            at = re.search(r"to read on use offset (\d+)", told(request))
            return call("read_artifact", artifact=artifact, offset=int(at[1]) if at else 0, length=101)
        return finish(result="ok")

    async with stage(READER, script) as on:
        run = await on.start()
        assert await run.result() == "ok"
        pages = [on.told(at)[0].split("\n", 1)[1] for at in (2, 3, 4)]
        (artifact,) = (await run.inspect()).artifacts
        whole = await artifact_store().read(artifact.id)
    assert json.loads(whole) == [{"id": at, "name": "ü😀"} for at in range(150_000)]
    assert whole.decode().startswith("".join(pages))
    assert artifact.media_type == "application/json"


async def test_what_cannot_be_read_is_told(stage: SetStage) -> None:
    """An unknown artifact, a wrong argument, and one that was deleted: the model hears what is valid."""
    at: list[str] = []

    def script(request: ModelRequest) -> Answer:
        match request.turn:
            case 0:
                return call("read_artifact", artifact="0" * 32)
            case 1:
                return call("odd")
            case 2:
                at.append(artifact_in(told(request)))
                return call("read_artifact", artifact="f" * 32)
            case 3:
                return call("read_artifact", artifact=at[0], offset=-1)
            case 4:
                return call("read_artifact", artifact=at[0], offset=70_000)
            case _:
                return finish(result="ok")

    async with stage(READER, script) as on:
        await on.result()
        assert "There is no tool 'read_artifact'" in on.told(1)[0]
        assert f"Its artifacts are: {at[0]} (result of call 2.1, 60,000 bytes)" in on.told(3)[0]
        assert "-1 is less than the minimum of 0" in on.told(4)[0]
        assert "ends at byte 60000: there is nothing at 70000" in on.told(5)[0]
        assert await artifact_store().read(at[0]) == b"\xff\x00\xfe" * 20_000


@pytest.mark.parametrize("address", ["/dev/null/artifacts", "nosuch://bucket", "s3://b?password=x"])
async def test_a_store_that_fails_repeats_no_effect(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """The result is cut as it would be without a store, says so, and the write is made once."""
    WRITTEN.clear()
    monkeypatch.setenv("HOLDFAST_ARTIFACTS", address)
    async with stage(READER, [call("write"), finish(result="ok")]) as on:
        run = await on.start()
        assert await run.result() == "ok"
        assert "The rest could not be kept" in on.told()[0]
        assert len(on.told()[0]) <= 16_000
        assert (await run.inspect()).artifacts == []
    assert WRITTEN == ["written"]
