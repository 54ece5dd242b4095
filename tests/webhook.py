"""A webhook on the loopback interface: it keeps what is posted to it, and answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from holdfast.testing.http_exchange import ClientGone, HttpExchange, HttpRequest

SECRET = "/services/T0/B0/secret"  # nobody's


class Webhook:
    """What was posted, and what comes next: `answers` are status codes with headers, then 200 for ever."""

    def __init__(self, port: int, answers: list[tuple[int, dict[str, str]]]) -> None:
        self.url = f"http://127.0.0.1:{port}{SECRET}"
        self.posts: list[HttpRequest] = []
        self.answers = answers
        self._posted = asyncio.Condition()

    @property
    def bodies(self) -> list[Any]:
        """The JSON of each post."""
        return [json.loads(post.body) for post in self.posts]

    async def posted(self, number: int) -> None:
        """When so many posts have come."""
        async with self._posted:
            await self._posted.wait_for(lambda: len(self.posts) >= number)

    async def answer(self, exchange: HttpExchange) -> None:
        """Serve one connection."""
        with contextlib.suppress(ClientGone):
            while (post := await exchange.next_request()) is not None:
                status, headers = self.answers.pop(0) if self.answers else (200, {})
                await exchange.start(status, {"content-type": "text/plain", **headers})
                await exchange.send(b"ok" if status == 200 else b"no_team")
                await exchange.finish()
                async with self._posted:
                    self.posts.append(post)
                    self._posted.notify_all()


@contextlib.asynccontextmanager
async def webhook(*answers: tuple[int, dict[str, str]]) -> AsyncIterator[Webhook]:
    """A webhook that listens."""
    found: Webhook

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await found.answer(HttpExchange(reader, writer))
        finally:
            writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        found = Webhook(server.sockets[0].getsockname()[1], list(answers))
        yield found
