"""A stand-in for AWS on this machine: a real `moto` server in its own process, on a free port of the loopback.

It speaks AWS's HTTP protocols, so the agent's boto3 code runs against it unchanged. Its state lives in its process and
outlives any worker. From the command line:

    python -m examples.cloud_costs.moto_server          # starts one with the inventory; Ctrl-C ends it
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.request import Request, urlopen

READY_WITHIN_SECONDS = 60.0

_ROOT = Path(__file__).resolve().parents[2]


def aws_environment(url: str, region: str = "eu-west-1") -> dict[str, str]:
    """The environment variables that point boto3 at the server, and away from any real account."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "holdfast-demo",
        "AWS_SECRET_ACCESS_KEY": "holdfast-demo",
        "AWS_SESSION_TOKEN": "holdfast-demo",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class MotoServer:
    """A moto server process; use it as a context manager, or `start` and `stop` it.

    The process ends with the program that started it, however that ends. Every request that reaches it is written
    to `recording`, which `examples.cloud_costs.journal` reads.
    """

    def __init__(self, *, log: Path | None = None) -> None:
        """Prepares; `log` is where the server writes its own log, nowhere by default."""
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._url = ""
        self._folder = tempfile.TemporaryDirectory(prefix="holdfast-moto-")
        self.recording = Path(self._folder.name, "requests.jsonl")
        self.recording.touch()

    @property
    def url(self) -> str:
        """Such as `http://127.0.0.1:41234`."""
        if not self._url:
            raise RuntimeError("the moto server is not running: call start() first")
        return self._url

    @property
    def environment(self) -> dict[str, str]:
        """What to add to the environment of a process that is to use this server as AWS."""
        return aws_environment(self.url)

    def start(self) -> Self:
        """Starts the process and waits until it answers.

        Raises:
            RuntimeError: It did not start; the message holds what it said.
        """
        with open(self._log or os.devnull, "w", encoding="utf-8") as log:  # noqa: PTH123  # None means nowhere
            self._process = subprocess.Popen(
                [sys.executable, "-m", "examples.cloud_costs.moto_server", "--empty", "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=_ROOT,
                env={
                    **os.environ,
                    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
                    "MOTO_ENABLE_RECORDING": "true",
                    "MOTO_RECORDER_FILEPATH": str(self.recording),
                },
                # Its own session: Ctrl-C at the terminal is for the program, which then stops this.
                start_new_session=True,
            )
        assert self._process.stdout is not None  # noqa: S101  # for the type checker: it is a pipe
        self._url = _first_line(self._process.stdout, READY_WITHIN_SECONDS)
        if not self._url.startswith("http://"):
            self.stop()
            said = self._log.read_text(encoding="utf-8")[-2000:] if self._log else "run it by hand to see why"
            raise RuntimeError(
                f"the moto server did not start: {said}. Is moto installed? (pip install 'holdfast[demo]')"
            )
        return self

    def reset(self) -> None:
        """Makes the account empty again."""
        with urlopen(Request(f"{self.url}/moto-api/reset", method="POST"), timeout=10):  # noqa: S310  # loopback
            pass

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Answers nothing inside the `with`; what was asked meanwhile is done afterwards, even if the asker is gone.

        That is how a slow AWS behaves, and the time to kill a worker in the middle of a call.
        """
        if self._process is None:
            raise RuntimeError("the moto server is not running: call start() first")
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends the process; its account is gone. Does nothing when it is not running."""
        process, self._process, self._url = self._process, None, ""
        self._folder.cleanup()
        if process is None:
            return
        process.send_signal(signal.SIGCONT)  # a paused process does not hear that it is to end
        process.terminate()
        process.wait(timeout=10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _first_line(stream: IO[str], seconds: float) -> str:
    """The stream's first line; nothing when it ends or takes too long."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline().strip()), daemon=True)
    reader.start()
    reader.join(seconds)
    return lines[0] if lines else ""


def main(arguments: list[str] | None = None) -> None:
    """Serves until interrupted. Prints its address alone on the first line, then how to use it."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.cloud_costs.moto_server", description=main.__doc__
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--empty", action="store_true", help="start with an empty account")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    options = parser.parse_args(arguments)

    try:
        from moto.server import ThreadedMotoServer
        from werkzeug.serving import WSGIRequestHandler
    except ImportError as error:
        sys.exit(f"moto is not installed ({error}): pip install 'holdfast[demo]'")
    _check_free(options.port)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # Werkzeug sends head and body in two writes; without this the second waits for an ACK, up to 40 ms a request.
    WSGIRequestHandler.disable_nagle_algorithm = True
    server = ThreadedMotoServer("127.0.0.1", options.port, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    if not options.empty:
        _fill(url)
    print(url, flush=True)
    if not options.until_stdin_closes:
        print("To use it as AWS:\n" + _exports(aws_environment(url)), flush=True)
    try:
        if options.until_stdin_closes:
            sys.stdin.read()
        else:
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    server.stop()


def _check_free(port: int) -> None:
    """Ends the program when the port is taken: moto itself would wait for ever."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            sys.exit(
                f"port {port} cannot be used ({error}): name another, or leave --port out for a free one"
            )


def _fill(url: str) -> None:
    os.environ.update(aws_environment(url))
    from examples.cloud_costs.inventory import load

    print(json.dumps(load().summary()), file=sys.stderr, flush=True)


def _exports(environment: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={value}" for name, value in environment.items())


if __name__ == "__main__":
    main()
