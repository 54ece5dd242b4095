"""What holds for the repository itself: file lengths, pinned dependencies, the ban on clocks in replayed code."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CEILING = 400
# File -> its present length, which is its ceiling. Split a file by idea rather than list it here.
LONGER_FILES: dict[str, int] = {}


def test_no_file_is_longer_than_its_ceiling() -> None:
    """A Python file has at most 400 lines, and a listed exception may shrink but not grow."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in python_files()}
    too_long = {name: n for name, n in lengths.items() if n > LONGER_FILES.get(name, CEILING)}
    assert too_long == {}
    shrunk = {name: lengths.get(name) for name, n in LONGER_FILES.items() if lengths.get(name) != n}
    assert shrunk == {}, "lower the ceilings in LONGER_FILES to these lengths (None: remove the line)"


def test_constraints_hold_exact_versions_and_nothing_else() -> None:
    """constraints.txt names no address and no index: each line is one package at one version."""
    lines = [
        line for line in constraints_lines() if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)
    ]
    assert lines == []


def test_everything_that_is_installed_is_pinned() -> None:
    """Each package that Holdfast and its extras need, directly or not, is installed at its pinned version."""
    pins = dict(line.split("==") for line in constraints_lines())
    needed = required_by("holdfast", frozenset({"demo", "dev"}))
    loose = {name: metadata.version(name) for name in needed if pins.get(name) != metadata.version(name)}
    assert loose == {}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {Requirement(line).name for line in build} <= pins.keys()


def test_there_is_no_lock_file() -> None:
    """Pins live in constraints.txt alone, because a lock file would name one package index for everybody."""
    locks = [path.name for path in ROOT.iterdir() if re.search(r"(\.lock|-lock\.(json|yaml))$", path.name)]
    assert locks == []


def test_replayed_code_may_not_ask_the_world() -> None:
    """Clocks, randomness and I/O are refused by the linter where Temporal replays code, and only there."""
    offences = {
        "datetime.datetime.now": "import datetime\n\nWHEN = datetime.datetime.now(datetime.UTC)\n",
        "datetime.datetime.now, imported": "from datetime import UTC, datetime\n\nWHEN = datetime.now(UTC)\n",
        "os": "import os\n\nWHO = os.environ['HOME']\n",
        "open": "CONTENT = open('x')\n",
        "random": "import random\n\nDICE = random.random()\n",
        "requests": "import requests\n\nPAGE = requests.get('x', timeout=1)\n",
        "secrets": "from secrets import token_hex\n\nKEY = token_hex()\n",
        "socket": "import socket\n\nSOCKET = socket.socket()\n",
        "time": "import time\n\nSTART = time.monotonic()\n",
        "uuid": "from uuid import uuid4\n\nKEY = uuid4()\n",
    }
    allowed = {
        f"{folder}: {name}"
        for folder in ("workflows", "policies", "holdfast/contracts")
        for name, program in offences.items()
        if not is_banned(program, f"{folder}/example.py")
    }
    assert set() == allowed
    assert not is_banned(offences["time"], "activities/example.py")


def python_files() -> Iterator[Path]:
    """Every Python file of the repository, and none of what is installed or cached."""
    for folder in ROOT.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            yield from folder.rglob("*.py")


def constraints_lines() -> list[str]:
    """The lines of constraints.txt without its comments."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def required_by(name: str, extras: frozenset[str]) -> set[str]:
    """The names of all packages that a package with these extras brings, itself not counted."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        for requirement in map(Requirement, metadata.requires(package) or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                dependency = canonicalize_name(requirement.name)
                waiting.extend((dependency, wanted) for wanted in ("", *requirement.extras))
                found.add(dependency)
    return found - {name}


def is_banned(program: str, path: str) -> bool:
    """Whether the linter, with the settings that hold at a path, refuses a program for a banned name."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--select",
        "TID251,PTH123",
        "--stdin-filename",
        path,
        "-",
    ]
    done = subprocess.run(command, cwd=ROOT, input=program, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode == 1
