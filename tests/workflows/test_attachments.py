"""Files given with a task: the run's input holds where they are, and the model reads them in pages."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from holdfast import Agent, File
from holdfast.artifacts import VARIABLE, artifact_store
from holdfast.contracts import names
from holdfast.contracts.attachments import Attachment
from holdfast.errors import ArtifactStoreFailed, RunNotFound, UsageError
from holdfast.run import Run
from holdfast.testing import call, finish
from holdfast.testing.answers import Answer
from holdfast.testing.model_request import ModelRequest
from tests.stage import CLAUDE, SetStage, unique

FIFTY_MB = 50 * 1024 * 1024
NEEDLE = b"\nthe needle: 42\n"
READER = Agent(name="file-reader", instructions="Read.", ladder=[CLAUDE])


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An artifact store of the test's own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


def opening(request: ModelRequest) -> list[str]:
    """The texts of the first message."""
    return [str(block["text"]) for block in request.messages[0]["content"]]


def looks_for_needle(request: ModelRequest) -> Answer:
    """Searches the artifact that the first message names, and hands in the line that was found."""
    if request.turn == 0:
        found = re.search(r"artifact ([0-9a-f]{32})", opening(request)[1])
        assert found is not None
        return call("read_artifact", artifact=found[1], find="needle")
    told = str(request.messages[-1]["content"][0]["content"])
    line = re.search(r"the needle: \d+", told)
    return finish(result=line[0] if line else told)


async def test_a_file_of_fifty_megabytes(stage: SetStage, tmp_path: Path) -> None:
    """It goes to the store once, the model pages through it, and history holds kilobytes; small texts are shown whole."""
    log = tmp_path / "big.log"
    log.write_bytes(b"a" * (FIFTY_MB - 1000) + NEEDLE + b"z" * (1000 - len(NEEDLE)))
    notes = File(b"Mind the \xc3\xbc.", name="notes.md", media_type="text/markdown")
    name = unique("attached")
    began = time.monotonic()
    async with stage(READER, looks_for_needle) as on:
        run = await on.start("Find it.", attachments=[str(log), notes], id=name)
        again = await on.start("Find it.", attachments=[log, notes], id=name)
        assert (await run.result(), again.id) == ("the needle: 42", name)
        with pytest.raises(UsageError, match="exists already"):
            await on.start("Find it.", attachments=[log], id=name)
        view = await run.inspect()
        history = await on.client.temporal.get_workflow_handle(name).fetch_history()
    seconds = time.monotonic() - began
    task, told = opening(on.model.requests[0])
    ref = view.artifacts[0]
    assert task == "Find it."
    assert (
        f"- big.log (text/plain, 52,428,800 bytes): artifact {ref.id}, to be read in pages by read_artifact"
        in told
    )
    assert "- notes.md (text/markdown), the whole of it:\n<attachment>\nMind the ü.\n</attachment>" in told
    assert [(one.name, one.bytes, one.call) for one in view.artifacts] == [("big.log", FIFTY_MB, None)]
    assert await artifact_store().size(ref.id) == FIFTY_MB
    assert sum(event.ByteSize() for event in history.events) < 40_000
    assert seconds < 30


async def test_plain_json_attaches_what_is_in_the_store(stage: SetStage) -> None:
    """Any client in any language names the artifact; one that is not there is told to the model, and the run goes on."""
    async with stage(READER, looks_for_needle) as on:
        known, size = await artifact_store().put(b"x" * 9_000 + NEEDLE)
        told = []
        for artifact in (known, "0" * 32):
            run_id = unique("plain")
            given = {
                "agent": READER.name,
                "task": "Find it.",
                "attachments": [{"name": "a.log", "artifact": artifact, "bytes": size}],
            }
            handle = await on.client.temporal.start_workflow(
                names.AGENT_RUN, json.loads(json.dumps(given)), id=run_id, task_queue=on.client.task_queue
            )
            told.append((await handle.result())["output"])
            on.runs.append(Run(on.client.temporal, run_id))
    assert told[0] == "the needle: 42"
    assert f"There is no artifact {'0' * 32}" in told[1]


async def test_what_cannot_be_attached_starts_nothing(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A missing file, a folder, a nameless one, too many, a store that fails: an error that says so, and no run."""
    occupied = tmp_path / "no folder"
    occupied.write_text("in the way")
    async with stage(READER, []) as on:
        wrong: list[tuple[Path | File, str]] = [
            (tmp_path / "gone.csv", "gone.csv cannot be read: No such file"),
            (tmp_path, "cannot be read: Is a directory"),
            (File(b"data"), "needs a printable name"),
        ]
        for given, why in wrong:
            with pytest.raises(UsageError, match=why):
                await on.client.start(READER, "Find it.", id="never", attachments=[given])
        with pytest.raises(UsageError, match="51 attachments are too many"):
            await on.client.start(READER, "Find it.", id="never", attachments=[occupied] * 51)
        monkeypatch.setenv(VARIABLE, str(occupied))
        with pytest.raises(ArtifactStoreFailed, match="cannot be written"):
            await on.client.start(
                READER, "Find it.", id="never", attachments=[File(b"\xff" * 99, name="x.bin")]
            )
        with pytest.raises(RunNotFound):
            await on.client.run("never").inspect()


def test_an_attachment_has_one_place() -> None:
    """A text in the input, or an artifact with its size."""
    for wrong in (
        {"name": "a"},
        {"name": "a", "text": "x", "artifact": "0" * 32, "bytes": 1},
        {"name": "a", "artifact": "0" * 32},
        {"name": "a", "artifact": "../../etc/passwd", "bytes": 1},
        {"name": "a\nb", "text": "x"},
        {"name": "a", "text": "x" * 8_001},
    ):
        with pytest.raises(ValueError, match="ttachment"):
            Attachment.model_validate(wrong)
