"""The real Temporal server for your tests: tuned as in temporal-dev.yaml, on free ports, gone when they end.

With pytest, import the fixture into your `conftest.py`; it works with any asyncio plugin:

    from holdfast.testing import temporal_server

    async def test_my_agent(temporal_server):
        client = await temporal_server.connect()
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from workers.dev_checks import find_temporal_binary
from workers.dev_config import SearchAttributeType, packaged_dev_config
from workers.dev_server import DevServer

__all__ = ["DevServer", "dev_server", "temporal_server", "time_skipping_env"]

_KEYS: dict[SearchAttributeType, Callable[[str], SearchAttributeKey[Any]]] = {
    "Text": SearchAttributeKey.for_text,
    "Keyword": SearchAttributeKey.for_keyword,
    "Int": SearchAttributeKey.for_int,
    "Double": SearchAttributeKey.for_float,
    "Bool": SearchAttributeKey.for_bool,
    "Datetime": SearchAttributeKey.for_datetime,
    "KeywordList": SearchAttributeKey.for_keyword_list,
}


@contextlib.asynccontextmanager
async def dev_server(
    folder: Path | None = None,
    *,
    in_memory: bool = True,
    ui: bool = False,
    dynamic_config: Mapping[str, bool | float | str] | None = None,
) -> AsyncIterator[DevServer]:
    """Runs a real server for the `async with`: a third of a second to start, ports nobody else uses.

    Args:
        folder: Where its log, its `.holdfast` folder and its database go; a temporary one by default.
        in_memory: False keeps runs in a file, so that they survive `kill()` and `restart()`.
        ui: Whether to serve the web UI too.
        dynamic_config: Settings of the server beside those of temporal-dev.yaml, such as
            `{"limit.historyCount.suggestContinueAsNew": 200}`.

    Raises:
        DevServerError: It cannot start; the message says why.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-")))
        config = packaged_dev_config().ephemeral(folder, in_memory=in_memory, ui=ui)
        config = config.but(dynamic_config={**config.dynamic_config, **(dynamic_config or {})}, base=folder)
        async with DevServer.start(config) as server:
            yield server


def _session_fixture(function: Callable[[], Iterator[DevServer]]) -> Any:
    try:
        import pytest
    except ModuleNotFoundError:  # the rest of holdfast.testing serves people with another test runner too
        return function
    return pytest.fixture(scope="session")(function)


@_session_fixture
def temporal_server() -> Iterator[DevServer]:
    """One in-memory server for all tests of the session; give each test its own task queue and ids."""
    # A plain fixture with a loop of its own: whatever plugin runs the tests' loops is not involved.
    loop = asyncio.new_event_loop()
    running = dev_server()
    try:
        yield loop.run_until_complete(running.__aenter__())
        loop.run_until_complete(running.__aexit__(None, None, None))
    finally:
        loop.close()


@contextlib.asynccontextmanager
async def time_skipping_env(**options: Any) -> AsyncIterator[WorkflowEnvironment]:
    """Runs a real server on which a test can skip a run's waits; for deadlines, reminders and long backoffs.

    Time passes normally until the test says otherwise, so that a wait does not end before the test has acted:

        async with time_skipping_env() as env:
            handle = await env.client.start_workflow(...)
            await env.fast_forward(handle, timedelta(hours=23))

    Args:
        **options: Passed on to `WorkflowEnvironment.start_time_skipping_v2`, such as `plugins` or `interceptors`.
    """
    config = packaged_dev_config()
    settings = {
        "ts_config": TimeSkippingConfig(enabled=False),
        "data_converter": pydantic_data_converter,
        "dev_server_existing_path": str(find_temporal_binary()),
        "dev_server_log_level": "error",
        "dev_server_extra_args": config.tuning_args(),
        "search_attributes": [_KEYS[kind](name) for name, kind in config.search_attributes.items()],
        **options,
    }
    async with await WorkflowEnvironment.start_time_skipping_v2(**settings) as env:
        yield env
