"""What stands beside a run's task: `policies/opening.py`."""

from __future__ import annotations

from holdfast.contracts.attachments import Attachment
from holdfast.contracts.run import RunInput
from policies.opening import beside_task


def test_nothing_stands_beside_a_task() -> None:
    """Where nothing is attached."""
    assert beside_task(RunInput(agent="a", task="Look.")) == []


def test_each_attachment_has_a_line() -> None:
    """The name, the type and the size, and where it is; a small text stands there whole."""
    attachments = [
        Attachment(name="bills.csv", media_type="text/csv", bytes=52_428_800, artifact="a" * 32),
        Attachment(name="notes.md", media_type="text/markdown", text="Mind it."),
    ]
    [told] = beside_task(RunInput(agent="a", task="Look.", attachments=attachments))
    assert told == (
        "Attached to the task:\n"
        f"- bills.csv (text/csv, 52,428,800 bytes): artifact {'a' * 32}, to be read in pages by read_artifact\n"
        "- notes.md (text/markdown), the whole of it:\n<attachment>\nMind it.\n</attachment>"
    )
