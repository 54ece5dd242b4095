"""Going back: a run as of a step, what a fork of it changes, and what a rewind leaves behind."""

import json
from typing import Literal, Self

from pydantic import Field

from holdfast.contracts.base import Contract, Json
from holdfast.contracts.digests import digest
from holdfast.contracts.requests import DecisionInput
from holdfast.contracts.undo import DoneCall

MAX_SHOWN = 160

Writes = Literal["simulate", "ask", "run"]
"""What becomes of a fork's writing calls: all are simulated; a human is asked about each; as its agent may."""


class MadeCall(Contract):
    """A writing call that was really made, in a part of a run that a fork or a rewind goes back behind."""

    run: str
    call: str
    tool: str
    fingerprint: str
    """Equal for equal tool and arguments."""
    idempotency_key: str
    shown: str = ""
    """Its arguments as people are shown them, cut off where they are long."""
    reversible: bool = False

    @classmethod
    def of(cls, run: str, done: DoneCall) -> Self:
        """What a run has done."""
        asked = done.input
        given = json.dumps(asked.arguments, ensure_ascii=False)
        return cls(
            run=run,
            call=asked.call,
            tool=asked.tool,
            fingerprint=digest([asked.tool, asked.arguments]),
            idempotency_key=asked.idempotency_key,
            shown=given if len(given) <= MAX_SHOWN else f"{given[: MAX_SHOWN - 1]}…",
            reversible=done.tool.has_undo,
        )


class Fork(Contract):
    """Where a run was forked from, by whom, and what was changed."""

    run: str = Field(min_length=1)
    """The run that it was forked from, which knows nothing of it."""
    at: int = Field(ge=0)
    """The step after which the two part."""
    by: str = ""
    writes: Writes = "simulate"
    changed: list[str] = []
    """What was changed: `agent`, `message`, `answer 3.1`, `decision 3.1-approval-ab12cd34`."""


class ForkInput(Fork):
    """What a fork is started with, beside the checkpoint of the run that it was forked from."""

    message: str | None = None
    """What the agent is told before its next plan."""
    answers: dict[str, Json] = {}
    """By call of step `at`: the result that it shall have had."""
    decisions: dict[str, DecisionInput] = {}
    """By request of step `at`: the decision that shall have been made."""
    made: list[MadeCall] = []
    """What the other run did after step `at`: a human is asked before it is done again."""


class CheckpointRequest(Contract):
    """Asks for the run as it was after a step; None means the last one that is over.

    Of a checkpoint that one answer does not hold, `start` asks for what comes behind so many characters.
    """

    at: int | None = None
    start: int = 0
    decisions: dict[str, DecisionInput] = {}
    """By request of that step: the decisions that a fork would change. The answer says why one cannot be."""


class Rewound(Contract):
    """A run was rewound: to which step, by whom, and what it had done since then, which still stands."""

    to: int
    by: str
    reason: str = ""
    made: list[MadeCall] = []
    done: list[DoneCall] = []
    """What it can take back of that; the run keeps it among its own calls."""
    more: bool = False
    """The rest of `done` follows in another one, and so does `made`."""
