"""A scripted model: a loopback HTTP server that speaks the Anthropic Messages API and plays what a test wrote.

    async with MessagesServer([call("list_instances", region="eu-west-1"), fault(529), finish()]) as server:
        client = AsyncAnthropic(api_key="test", base_url=server.base_url, max_retries=0)
        ...
    assert [request.status for request in server.requests] == [200, 529, 200]

Requests are checked as the real API checks them (`request_rules`), so a test that passes also says that every
transcript was legal. A request beyond the script, or an illegal one, is answered with a 400 that says so, and fails
the test when the server is left.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import json
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import h11

from holdfast.testing import sse
from holdfast.testing.answers import Answer, Fault, Step
from holdfast.testing.http_exchange import ClientGone, HttpExchange, HttpRequest
from holdfast.testing.model_request import ModelRequest, PlayedCall, blocks_of
from holdfast.testing.playback import send_answer, send_fault
from holdfast.testing.request_body import BodyReader
from holdfast.testing.request_rules import RequestRules
from holdfast.testing.script import Script, ScriptRanOut, StepFunction, as_script
from holdfast.testing.token_usage import PromptCache, SpentTokens

_LARGEST_BODY = 32 * 1024 * 1024


class MessagesServer:
    """Plays a script to whoever asks `base_url` for a message.

    `async with` serves in the running event loop; `with` serves from a thread of its own, for sync code. Only
    127.0.0.1 is listened on, at a free port.

    Example:
        ```python
        with MessagesServer([say("Hello")]) as server:
            client = Anthropic(api_key="test", base_url=server.base_url)
            client.messages.create(model="m", max_tokens=10, messages=[{"role": "user", "content": "Hi"}])
        ```
    """

    def __init__(
        self,
        script: Script | StepFunction | Sequence[Step],
        *,
        strict: bool = True,
        api_key: str | None = None,
        accept_foreign_thinking: bool = False,
    ) -> None:
        """Prepares a server; nothing listens yet.

        Args:
            script: A list of steps, `by_conversation(...)`, or a function from a `ModelRequest` to a step.
            strict: Leaving the server raises AssertionError when a request came beyond the script or was illegal.
            api_key: The only key that is accepted; None accepts any that is not empty.
            accept_foreign_thinking: Accept thinking blocks that this server never sent.

        Raises:
            TypeError: The script holds something that is no step. Whoever wrote it corrects it.
        """
        self.requests: list[ModelRequest] = []
        """All requests, in order of arrival."""
        self.calls_made: list[PlayedCall] = []
        """The tool calls asked for in answers that arrived whole, retries of one answer included."""
        self.spent_tokens = SpentTokens()
        """The sum of the usage of all answers."""
        self._script = as_script(script)
        self._strict = strict
        self._api_key = api_key
        self._rules = RequestRules(accept_foreign_thinking=accept_foreign_thinking)
        self._cache = PromptCache()
        self._bodies = BodyReader()
        self._unplayable: list[str] = []
        self._arrivals: list[tuple[int, concurrent.futures.Future[ModelRequest]]] = []
        self._lock = threading.Lock()
        self._port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def base_url(self) -> str:
        """What `base_url` or `ANTHROPIC_BASE_URL` must be. Raises RuntimeError before the server is entered."""
        if not self._port:
            raise RuntimeError(
                "The messages server does not listen yet: enter it with `with` or `async with` first."
            )
        return f"http://127.0.0.1:{self._port}"

    @property
    def refusals(self) -> list[str]:
        """What the real API would have said against requests that came, one line each; empty when all were legal."""
        return [
            f"request {request.number}: {request.refusal}" for request in self.requests if request.refusal
        ]

    def assert_all_legal(self) -> None:
        """Raises AssertionError when any request was one that the real API refuses, or came beyond the script."""
        wrong = self.refusals + self._unplayable
        if wrong:
            raise AssertionError("The scripted model was asked what it must refuse.\n" + "\n".join(wrong))

    def assert_exhausted(self) -> None:
        """Raises AssertionError when the script was not played to its end, or requests came that it must refuse."""
        self.assert_all_legal()
        left = self._script.unplayed()
        if left:
            raise AssertionError("The script was not played to its end. Left are:\n" + "\n".join(left))

    async def wait_for_request(self, number: int, timeout: float = 30.0) -> ModelRequest:
        """Waits until request `number` (from 1) arrived, answered or not. Raises TimeoutError after `timeout` seconds."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._arrival(number)), timeout)
        except TimeoutError:
            raise TimeoutError(self._too_late(number, timeout)) from None

    def block_for_request(self, number: int, timeout: float = 30.0) -> ModelRequest:
        """The same for sync code; never call it in the event loop that serves."""
        try:
            return self._arrival(number).result(timeout)
        except TimeoutError:
            raise TimeoutError(self._too_late(number, timeout)) from None

    async def __aenter__(self) -> Self:
        """Listens, in the running event loop."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops, and closes what is open. Raises AssertionError as `assert_all_legal` does, if the server is strict."""
        await self._stop()
        self._judge(error)

    def __enter__(self) -> Self:
        """Listens, from a thread of its own."""
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="messages-server", daemon=True)
        self._thread.start()
        ready.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the thread. Raises AssertionError as `assert_all_legal` does, if the server is strict."""
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._judge(error)

    def _run(self, ready: concurrent.futures.Future[None]) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            try:
                runner.run(self.__aenter__())
            except OSError as error:
                ready.set_exception(error)
                return
            self._loop.call_soon(ready.set_result, None)
            self._loop.run_forever()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None

    def _judge(self, error: BaseException | None) -> None:
        if not self._strict:
            return
        try:
            self.assert_all_legal()
        except AssertionError as judged:
            if error is None:
                raise
            error.add_note(str(judged))

    def _arrival(self, number: int) -> concurrent.futures.Future[ModelRequest]:
        future: concurrent.futures.Future[ModelRequest] = concurrent.futures.Future()
        with self._lock:
            if len(self.requests) >= number:
                future.set_result(self.requests[number - 1])
            else:
                self._arrivals.append((number, future))
        return future

    def _too_late(self, number: int, timeout: float) -> str:
        return f"Request {number} did not arrive within {timeout:g} seconds; {len(self.requests)} arrived so far."

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this callback as a task
        self._connections.add(task)
        exchange = HttpExchange(reader, writer)
        try:
            while (http := await exchange.next_request()) is not None:
                await self._answer(exchange, http)
        except (ClientGone, h11.ProtocolError, asyncio.CancelledError):
            pass  # the client left, spoke no HTTP, or the server stops: there is nobody left to tell
        finally:
            self._connections.discard(task)
            await exchange.close()

    async def _answer(self, exchange: HttpExchange, http: HttpRequest) -> None:
        body, unreadable = self._bodies.read(http.body)
        request = self._record(http, body)
        try:
            step = self._refuse(request, http, unreadable) or await self._next_step(exchange, request)
            request.answered_with = str(step)
            if isinstance(step, Fault):
                await send_fault(exchange, request, step)
            else:
                await send_answer(exchange, request, step, self._message(request, step))
        except ClientGone:
            request.client_gone = True
            raise
        except Exception as error:
            wrong = f"Request {request.number} could not be answered with {request.answered_with}: {error!r}"
            self._unplayable.append(wrong)
            raise

    def _record(self, http: HttpRequest, body: dict[str, Any]) -> ModelRequest:
        headers = dict(http.headers)
        bearer = headers.pop("authorization", "").removeprefix("Bearer ").strip()
        key = headers.pop("x-api-key", "") or bearer  # the SDK sends the one or the other, by its version
        with self._lock:
            number = len(self.requests) + 1
            request = ModelRequest(number, headers, key, body, len(http.body), time.monotonic())
            self.requests.append(request)
            for waiting in [item for item in self._arrivals if item[0] <= number]:
                self._arrivals.remove(waiting)
                if waiting[1].set_running_or_notify_cancel():
                    waiting[1].set_result(request)
        return request

    def _refuse(self, request: ModelRequest, http: HttpRequest, unreadable: str | None) -> Fault | None:
        """The fault for a request that the real API would not answer; None for one that it would."""
        key = (
            http.headers.get("x-api-key")
            or http.headers.get("authorization", "").removeprefix("Bearer ").strip()
        )
        if not key:
            return Fault(401, message="x-api-key header is required")
        if self._api_key is not None and request.api_key != self._api_key:
            return Fault(401, message="invalid x-api-key")
        if len(http.body) > _LARGEST_BODY:
            return Fault(413, message="Request exceeds the maximum size")
        if (http.method, http.path) != ("POST", "/v1/messages"):
            request.refusal = f"{http.method} {http.path}: this server plays POST /v1/messages only"
            return Fault(404, message=request.refusal)
        if not http.headers.get("anthropic-version"):
            request.refusal = "anthropic-version: header is required"
        else:
            request.refusal = unreadable or self._rules.objection(request)
        return Fault(400, message=request.refusal) if request.refusal else None

    async def _next_step(self, exchange: HttpExchange, request: ModelRequest) -> Step:
        try:
            step = await exchange.unless_gone(self._script.step_for(request))
        except ClientGone:
            raise  # whoever asked was killed while the script thought: nobody's fault
        except ScriptRanOut as error:
            wrong = f"The script ran out at request {request.number}: {error}. {_summary(request)}"
        except Exception as error:  # noqa: BLE001 - a test's own function: the 400 and the test tell what it raised
            wrong = f"The script failed at request {request.number}: {type(error).__name__}: {error}. {_summary(request)}"
        else:
            if isinstance(step, Answer | Fault):
                return step
            wrong = f"The script returned {step!r} for request {request.number}; a step is built with say(), call() …"
        self._unplayable.append(wrong)
        return Fault(400, message=wrong)

    def _message(self, request: ModelRequest, answer: Answer) -> dict[str, Any]:
        """Makes the message of an answer, and notes it everywhere."""
        earlier = [
            block
            for message in request.messages
            for block in blocks_of(message)
            if block["type"] == "tool_use"
        ]
        place = json.dumps([request.conversation, request.turn])
        usage = answer.usage if answer.usage is not None else self._cache.usage(request.body, answer.content)
        message = sse.message_from(
            answer,
            message_id="msg_" + hashlib.sha256(place.encode()).hexdigest()[:24],
            model=request.model,
            calls_before=len(earlier),
            usage=usage,
        )
        request.message, request.usage = message, message["usage"]
        self._rules.remember(request, message)
        self.spent_tokens = self.spent_tokens.plus(usage)
        if answer.delivery.completes:
            self.calls_made += [
                PlayedCall(block["id"], block["name"], block["input"], request.number)
                for block in message["content"]
                if block.get("type") == "tool_use"
            ]
        return message


def _summary(request: ModelRequest) -> str:
    last = request.messages[-1] if request.messages else {}
    said = json.dumps(blocks_of(last))
    said = said if len(said) <= 300 else said[:299] + "…"
    return (
        f"It asked {request.model} with {len(request.messages)} messages, {request.turn} of them the model's own; "
        f"the last one, of the {last.get('role', 'nobody')}: {said}"
    )
