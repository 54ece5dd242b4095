"""Starts a program that cannot outlive the process that asked for it. Run as a script, never imported.

    python tied_process.py PARENT_PID program arguments…

It becomes the program (same pid), after asking the kernel to kill it when its parent dies. A separate step
because the asking must happen in the child, and Python code between fork and exec can deadlock in a process
that has threads, as every Temporal client has. Elsewhere than on Linux it only starts the program.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        # Not SIGTERM: a graceful stop takes the server seconds, in which it holds its ports and its database,
        # while whoever was killed may be starting again. The database survives it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was asked
            sys.exit(1)
    try:
        os.execv(program, sys.argv[2:])  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{program} cannot be run: {error.strerror}")
