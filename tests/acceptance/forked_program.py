"""The `holdfast` program without the second that it takes to load: a mother that has loaded it, and a fork a command.

Each command is a process as always, with folder, environment, output and exit code of its own, and runs the entry
point that the installed script runs. Run as a program this is the mother: it listens on the Unix socket that it is
given, and serves until its standard input closes.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

REPOSITORY = Path(__file__).parents[2]


class Mother:
    """Starts commands by forking; she herself is started when the first is asked for."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="holdfast-cli-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> tuple[int, str, str]:
        """A command's exit code, output and errors. Raises TimeoutError when it takes longer than `timeout` seconds."""
        self._begin()
        with (
            tempfile.TemporaryDirectory(dir=self._folder.name) as folder,
            socket.socket(socket.AF_UNIX) as line,
        ):
            out, err = Path(folder, "out"), Path(folder, "err")
            line.settimeout(timeout)
            line.connect(self._address)
            told = {"argv": [*argv], "cwd": str(cwd), "env": {**env}, "out": str(out), "err": str(err)}
            line.sendall(json.dumps(told).encode() + b"\n")
            code = int(line.makefile().readline())
            return code, out.read_text("utf-8"), err.read_text("utf-8")

    def end(self) -> None:
        """Let her go."""
        if self._process is not None:
            self._process.communicate(timeout=10)
        self._folder.cleanup()

    @property
    def _address(self) -> str:
        return f"{self._folder.name}/mother"

    def _begin(self) -> None:
        with self._lock:
            if self._process is None:
                outside = ("TEMPORAL_", "HOLDFAST_", "ANTHROPIC_", "COLUMNS", "FORCE_COLOR", "USER")
                clean = {key: value for key, value in os.environ.items() if not key.startswith(outside)}
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, self._address],
                    cwd=REPOSITORY, env=clean, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )  # fmt: skip
                assert self._process.stdout is not None
                assert self._process.stdout.readline() == b"ready\n"


def _listen(address: str) -> None:
    import holdfast.cli
    import holdfast.client  # what most commands load

    for module in pkgutil.walk_packages(holdfast.cli.__path__, "holdfast.cli."):
        importlib.import_module(module.name)
    assert threading.active_count() == 1, "a fork would lose the other threads"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen(64)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([server, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            line, _ = server.accept()
            if os.fork() == 0:
                _never_return(_watch, line)
            line.close()


def _watch(line: socket.socket) -> None:
    """Run one command, and tell its exit code; whoever hangs up kills it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told = json.loads(line.makefile().readline())
    pid = os.fork()
    if pid == 0:
        line.close()
        _never_return(_command, **told)
    ended = os.pidfd_open(pid)
    ready, _, _ = select.select([ended, line.fileno()], [], [])
    if ended not in ready:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        line.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _command(argv: list[str], cwd: str, env: dict[str, str], out: str, err: str) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for number, (path, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), (out, os.O_WRONLY | os.O_CREAT), (err, os.O_WRONLY | os.O_CREAT)]
    ):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    sys.argv = argv
    sys.path[0] = str(Path(argv[0]).parent)  # as for the script
    from holdfast.cli import main

    main()


def _never_return(what: Callable[..., Any], *arguments: Any, **more: Any) -> NoReturn:
    """The mother's own code must never run on in a child."""
    try:
        what(*arguments, **more)
        os._exit(0)
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    except BaseException:  # noqa: BLE001  # whatever it is, it ends here
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(1)


if __name__ == "__main__":
    _listen(sys.argv[1])
    os._exit(0)  # taking down what she has loaded takes a while, and nothing waits for it
