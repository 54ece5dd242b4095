"""The wire between the agent and AWS, with a hand on it: it can hold back answers, as a slow network does.

A worker whose `AWS_ENDPOINT_URL` names the wire reaches the account behind it with the same boto3 code as ever. While
answers are held, AWS has done what it was asked and nobody has heard of it: the worst moment for a process to die.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

_PATIENCE = 60.0
"""Seconds after which AWS's own answer, or the permission to pass it on, is not waited for any more."""

_OURS = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
"""Headers of an answer that the wire writes itself."""


class Wire:
    """A proxy to one AWS endpoint, on a free port of the loopback. Use it as a context manager, in an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._upstream = ""
        self._hold_action = ""
        self._released = threading.Event()
        self._released.set()
        self.holding = asyncio.Event()
        """Set once an answer is held."""
        self.held: list[str] = []
        """The resource, such as a volume's id, of each request whose answer was held and then dropped."""

    @property
    def url(self) -> str:
        """What to use as `AWS_ENDPOINT_URL`."""
        host, port, *_ = self._server.server_address
        return f"http://{host!s}:{port}"

    def lead_to(self, url: str) -> None:
        """Connects the far end to a server that speaks AWS's protocols."""
        self._upstream = urlsplit(url).netloc

    def hold(self, action: str) -> None:
        """From now on AWS still does this action, such as `CreateSnapshot`, and its answers stay on the wire."""
        self._hold_action = action
        self._released.clear()

    def drop(self) -> None:
        """Answers pass again. Those that were held are lost, as with a connection that breaks."""
        self._hold_action = ""
        self._released.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.drop()
        self._server.shutdown()
        self._server.server_close()

    def carry(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes] | None:
        """Passes a request on; the answer, or None when it is lost on its way back. Runs in a thread."""
        connection = HTTPConnection(self._upstream, timeout=_PATIENCE)
        try:
            connection.request(method, path, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        asked = parse_qs(body.decode("utf-8", errors="replace")) if self._hold_action else {}
        if asked.get("Action") == [self._hold_action] and not self._released.is_set():
            self.held.append(asked.get("VolumeId", [""])[0])
            self._loop.call_soon_threadsafe(self.holding.set)
            self._released.wait(_PATIENCE)
            return None
        return answer.status, [one for one in answer.getheaders() if one[0].lower() not in _OURS], content


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, wire: Wire) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wire = wire

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke: its asker was killed, which is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:  # the base class looks for this name
        """Carries one request there and its answer back; all of the agent's requests are POSTs."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        carried = self.server.wire.carry(self.command, self.path, headers, body)
        self.close_connection = True
        if carried is None:
            return
        status, answer_headers, content = carried
        self.send_response(status)
        for name, value in answer_headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class has it
        """Says nothing."""
