"""The SDK's clients of this process: one, and so one connection pool, for each configuration in use.

A profile or a federation gives tokens that expire. The SDK gets another one when its own clock says so, and after a 401
only as part of its retries, which are off here. So a refused request renews them here, once.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from weakref import WeakKeyDictionary

import httpx2
from anthropic import AnthropicError, AsyncAnthropic, AuthenticationError, PermissionDeniedError

T = TypeVar("T")

Settings = tuple[tuple[str, str], ...]


@dataclass
class _Shared:
    settings: Settings
    client: AsyncAnthropic
    users: int = 0


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()
"""By event loop, because a connection lives and dies with the loop that opened it."""

_renewing: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""One renewal at a time: who comes second finds what the first has got."""


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


async def with_fresh_credentials(send: Callable[[AsyncAnthropic], Awaitable[T]]) -> T:
    """Send a request; where its credentials are refused renew them, and send it once more if they are others then.

    Raises what the SDK raises. A note beside a refusal says that the credentials had been renewed, or why they could not
    be.
    """
    async with anthropic_client() as client:
        try:
            return await send(client)
        except (AuthenticationError, PermissionDeniedError) as error:
            refused = error
    try:
        renewed = await _renewed(client, refused.response.request.headers)
    except Exception as error:  # files, networks, other people's servers
        if issuer_is_down(error):
            raise
        refused.add_note(f"The credentials could not be renewed ({type(error).__name__}): {error}")
        renewed = False
    if not renewed:
        raise refused
    async with anthropic_client() as client:
        try:
            return await send(client)
        except (AuthenticationError, PermissionDeniedError) as error:
            error.add_note("The credentials had been renewed once.")
            raise


def issuer_is_down(error: Exception) -> bool:
    """Whether a token could not be had because of who issues it: that may pass."""
    status = getattr(error, "status_code", None)
    busy = isinstance(status, int) and (status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500)
    return busy or isinstance(error.__cause__, httpx2.HTTPError)


async def _renewed(refused: AsyncAnthropic, sent: Mapping[str, str]) -> bool:
    """Renew the credentials that were refused; whether the next request goes out with others, or elsewhere.

    First by what the environment and the profile say now, where somebody else may have renewed them; then by asking
    whoever issues them. A key that is the same as before is not worth asking for.
    """
    loop = asyncio.get_running_loop()
    before = (str(refused.base_url), _signature(sent))
    async with _renewing.setdefault(loop, asyncio.Lock()):
        shared = _shared.get(loop)
        if shared is not None and shared.client is refused:
            if refused.custom_auth is None and shared.settings == _settings():
                return False  # a plain key
            await _drop(loop)
        async with anthropic_client() as client:
            others = await _next_signature(client) != before
            cache = client._token_cache  # noqa: SLF001  # the only way to it; a test fails when the SDK has another
            if not others and cache is not None:
                cache.invalidate()
                others = await _next_signature(client) != before
        if not others:
            await _drop(loop)  # the next plan looks at the profile again
        return others


async def _drop(loop: asyncio.AbstractEventLoop) -> None:
    """The next request is sent by another client."""
    shared = _shared.pop(loop, None)
    if shared is not None and not shared.users:
        await shared.client.close()


async def _next_signature(client: AsyncAnthropic) -> tuple[str, tuple[str, ...]]:
    """Where the client's next request goes, and what it is signed with."""
    headers = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
    request = httpx2.Request("POST", client.base_url, headers={**client.auth_headers, **headers})
    if client.custom_auth is not None:
        flow = client.custom_auth.async_auth_flow(request)
        request = await anext(flow)
        await flow.aclose()
    return str(client.base_url), _signature(request.headers)


def _signature(headers: Mapping[str, str]) -> tuple[str, ...]:
    found = httpx2.Headers(dict(headers))
    return tuple(found.get(name, "") for name in ("authorization", "x-api-key"))
