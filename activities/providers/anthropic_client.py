"""The SDK's clients of this process: one, and so one connection pool, for each configuration in use."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from anthropic import AnthropicError, AsyncAnthropic

Settings = tuple[tuple[str, str], ...]


@dataclass
class _Shared:
    settings: Settings
    client: AsyncAnthropic
    users: int = 0


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()
"""By event loop, because a connection lives and dies with the loop that opened it."""


@contextlib.asynccontextmanager
async def anthropic_client() -> AsyncIterator[AsyncAnthropic]:
    """The client for what the environment says now: a changed key or address counts from the next plan on.

    A client that is no longer the current one is closed by its last user. Raises anthropic.AnthropicError when
    the environment holds no key.
    """
    loop, settings = asyncio.get_running_loop(), _settings()
    shared = _shared.get(loop)
    if shared is None or shared.settings != settings:
        fresh = _Shared(settings, AsyncAnthropic(max_retries=0))
        if not _has_credentials(fresh.client):
            await fresh.client.close()
            raise AnthropicError("There is no key: set ANTHROPIC_API_KEY where the worker is started.")
        _shared[loop] = fresh
        if shared is not None and not shared.users:
            await shared.client.close()
        shared = fresh
    shared.users += 1
    try:
        yield shared.client
    finally:
        shared.users -= 1
        if not shared.users and _shared.get(loop) is not shared:
            await shared.client.close()


def _has_credentials(client: AsyncAnthropic) -> bool:
    """Whether the SDK found any; it would raise a bare TypeError when a request is made, not before."""
    signed = {"authorization", "x-api-key"} & {name.lower() for name in client.default_headers}
    return bool(client.auth_headers or signed) or client.custom_auth is not None


def _settings() -> Settings:
    """Everything that the SDK reads from the environment."""
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("ANTHROPIC_")))
