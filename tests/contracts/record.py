"""Write the golden files of a version, once: `python -m tests.contracts.record v2`.

Run it for every release that changes a contract. What is recorded is never written again: stored runs hold it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.contracts.examples import examples, without_example

HERE = Path(__file__).parent


def record(version: str) -> str:
    """Write the files, and say what was done; refuses what would make them worthless."""
    folder = HERE / version
    if not re.fullmatch(r"v[1-9][0-9]*", version):
        sys.exit(f"{version!r} is no version: write v1, v2 and so on.")
    if folder.exists():
        sys.exit(f"{folder} exists, and what was recorded stays: choose the next version.")
    if missing := without_example():
        sys.exit(f"tests/contracts/examples.py sets nowhere: {', '.join(missing)}")
    folder.mkdir()
    found = examples()
    for name, value in found.items():
        text = json.dumps(value.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return f"{len(found)} files in {folder}"


if __name__ == "__main__":
    print(record(*sys.argv[1:2] or ["?"]))
