"""The artifact store in a bucket: the real client against moto's S3, over loopback HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from holdfast import Agent, tool
from holdfast.artifacts import VARIABLE, ArtifactStore, artifact_store
from holdfast.errors import ArtifactNotFound, ArtifactStoreFailed
from holdfast.testing import call, finish
from holdfast.testing.answers import Answer
from holdfast.testing.model_request import ModelRequest
from tests.stage import CLAUDE, SetStage
from tests.workflows.test_artifacts import artifact_in, told

moto = pytest.importorskip("moto.server")
SIZE = 12 * 1024 * 1024
"""More than one part of an upload, and more than one chunk of a search."""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The endpoint of a moto server with one bucket."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with urlopen(Request(f"http://{host}:{port}/bucket", method="PUT"), timeout=10):  # loopback
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def address(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store's address; the credentials are in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    address = f"s3://bucket/holdfast?endpoint={s3}&region=eu-west-1"
    monkeypatch.setenv(VARIABLE, address)
    return address


async def test_files_and_bytes_are_kept_read_and_found(address: str, tmp_path: Path) -> None:
    """A large file goes up in parts and comes back in ranges; what is looked for is found across chunks."""
    store, file = ArtifactStore(address), tmp_path / "big"
    file.write_bytes(b"a" * (8 * 1024 * 1024 - 3) + b"needle" + b"z" * (SIZE - 8 * 1024 * 1024 - 3))
    big, size = await store.put(file)
    small, _ = await store.put(b"hello")
    assert (size, await store.size(big)) == (SIZE, SIZE)
    assert await store.put(b"hello") == (small, 5)
    assert await store.read(small) == b"hello"
    assert await store.read(big, SIZE - 3, SIZE + 10) == b"zzz"
    assert await store.find(big, b"needle") == 8 * 1024 * 1024 - 3
    assert await store.find(big, b"nothing") is None


async def test_what_is_not_there_and_who_does_not_answer(s3: str, address: str) -> None:
    """Each has its error, within seconds: another artifact, another bucket, a server that is down."""
    with pytest.raises(ArtifactNotFound, match=f"There is no artifact {'0' * 32} in s3://bucket"):
        await ArtifactStore(address).read("0" * 32)
    for wrong in (
        f"s3://other/x?endpoint={s3}&region=eu-west-1",
        "s3://bucket/x?endpoint=http://127.0.0.1:9&region=x",
    ):
        with pytest.raises(ArtifactStoreFailed, match="cannot be written"):
            await ArtifactStore(wrong).put(b"data")


async def test_a_run_keeps_a_large_result_in_a_bucket(stage: SetStage, address: str) -> None:
    """The worker stores it, and the model reads on, as with a folder."""

    @tool(effect="read")
    async def dump() -> str:
        """Fetch a log."""
        return "a" * 90_000 + "the needle: 42"

    def script(request: ModelRequest) -> Answer:
        if request.turn == 0:
            return call("dump")
        if request.turn == 1:
            return call("read_artifact", artifact=artifact_in(told(request)), find="needle")
        return finish(result=told(request)[-14:])

    agent = Agent(name="bucket-reader", instructions="Read.", tools=[dump], ladder=[CLAUDE])
    async with stage(agent, script) as on:
        run = await on.start()
        assert await run.result() == "the needle: 42"
        view = await run.inspect()
    assert await artifact_store().size(view.artifacts[0].id) == 90_014
