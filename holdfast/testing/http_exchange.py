"""One client connection of a loopback HTTP server, over h11: requests in, answers out, cut wherever the script says."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import h11

T = TypeVar("T")
_CHUNK = 65_536


class ClientGone(Exception):
    """The client closed the connection while its answer was on the way. Nobody needs to act."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, read whole."""

    method: str
    """GET, POST …"""
    path: str
    """The target without its query."""
    headers: Mapping[str, str]
    """Headers, names in lower case."""
    body: bytes
    """The body."""


class HttpExchange:
    """A connection: `next_request`, then either `start`, `send` … `finish`, or `close` at any moment."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes over both ends of a connection that was just accepted."""
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def next_request(self) -> HttpRequest | None:
        """The next request of this connection; None when there will be none. Raises `ClientGone` in the middle of one."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        head: h11.Request | None = None
        body = bytearray()
        while self._http.our_state is not h11.MUST_CLOSE and not self._writer.is_closing():
            event = await self._next_event()
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return HttpRequest(
                    method=head.method.decode(),
                    path=head.target.decode("latin-1").partition("?")[0],
                    headers={
                        name.decode("latin-1").lower(): value.decode("latin-1")
                        for name, value in head.headers
                    },
                    body=bytes(body),
                )
            else:
                return None
        return None

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Sends the status line and the headers; without a content-length the body is chunked."""
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._write(h11.Response(status_code=status, headers=pairs))

    async def send(self, data: bytes) -> None:
        """Sends a part of the body, and waits until it is handed to the operating system."""
        await self._write(h11.Data(data=data))

    async def finish(self) -> None:
        """Ends the body as promised; the connection stays open for the next request."""
        await self._write(h11.EndOfMessage())

    async def unless_gone(self, awaitable: Awaitable[T]) -> T:
        """Waits for something, and gives up with `ClientGone` as soon as the client closes the connection."""
        task = asyncio.ensure_future(awaitable)
        watch = asyncio.ensure_future(self._watch_for_end())
        try:
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise ClientGone
        finally:
            for pending in (task, watch):
                if not pending.done():
                    pending.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await pending

    async def pause(self, seconds: float) -> None:
        """Lets time pass, `math.inf` for ever. Raises `ClientGone` as soon as the client leaves."""
        if seconds > 0:
            await self.unless_gone(asyncio.Event().wait() if math.isinf(seconds) else asyncio.sleep(seconds))

    async def close(self) -> None:
        """Closes the connection as it is: in the middle of an answer this is the cut."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _next_event(self) -> h11.Event | None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                return None
            if self._http.they_are_waiting_for_100_continue:
                await self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._read())

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_CHUNK)
        except OSError as error:
            raise ClientGone from error

    async def _watch_for_end(self) -> None:
        with contextlib.suppress(ClientGone):
            while data := await self._read():
                self._http.receive_data(data)

    async def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data is None:
            return
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise ClientGone from error
