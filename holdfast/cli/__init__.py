"""The `holdfast` command. `holdfast --help` teaches it; this package's files are its groups of commands.

What a command prints for people is made in `rendering/`; with `--json` it prints the contracts themselves.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """The program's entry point: runs the command line, and ends the process with its exit code."""
    from holdfast.cli.app import run_command_line

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what a terminal's encoding lacks is spelled out, not an error
            stream.reconfigure(errors="backslashreplace")
    code = run_command_line(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # the reader, such as `head`, has what it wanted
        code = code or 0
    # The SDK's threads can abort an interpreter that shuts down right after a call to the server; everything
    # that is to be said has been said, so do not wait for that.
    os._exit(code)
