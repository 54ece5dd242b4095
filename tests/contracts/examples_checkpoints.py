"""Values of what takes a run back: rollback, checkpoints, forks, rewinds."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel

from holdfast.contracts.calls import Failure, ToolInput
from holdfast.contracts.forks import CheckpointRequest, Fork, ForkInput, MadeCall, Rewound
from holdfast.contracts.messages import user_text
from holdfast.contracts.plans import Usage
from holdfast.contracts.requests import DecisionInput
from holdfast.contracts.run import Carried, RunInput, RunView
from holdfast.contracts.spec import AgentSpec, ModelRung, ToolSpec
from holdfast.contracts.state import ForkPoint, LoopState, StepMark
from holdfast.contracts.undo import DoneCall, UndoInput, UndoneCall, UndoOutcome

MADE = MadeCall(
    run="ticket-88",
    call="4.1",
    tool="stop",
    fingerprint="0123",
    idempotency_key="ticket-88/4.1",
    shown='{"machine": "a"}',
    reversible=True,
)
FORK = Fork(run="ticket-88", at=3, by="dana", writes="ask", changed=["agent", "answer 3.1"])
FORK_INPUT = ForkInput(
    **FORK.model_dump(),
    message="Mind the dog.",
    answers={"3.1": {"stopped": True}},
    decisions={"3.2-approval-ab12cd34": DecisionInput(by="dana", choice="reject", reason="no")},
    made=[MADE],
)
DONE = DoneCall(
    input=ToolInput(
        run="ticket-88",
        call="4.1",
        agent="a",
        digest="0123",
        tool="stop",
        arguments={"machine": "a"},
        idempotency_key="ticket-88/4.1",
    ),
    tool=ToolSpec(name="stop", effect="reversible", has_undo=True, input_schema={"type": "object"}),
    forgotten=True,
)
UNDONE = UndoneCall(
    call="3.1",
    tool="ec2.stop",
    outcome="failed",
    failure=Failure(kind="transient", message="it is down", error="ConnectTimeout"),
    rewound="ab12cd",
    forgotten=True,
)
REWOUND = Rewound(to=3, by="dana", reason="it went astray", made=[MADE], done=[DONE], more=True)
LOOP = LoopState(forked=True, rewound="ab12cd", rewind=REWOUND, untold=True, told=[REWOUND])
CARRIED = Carried(execution=2, step=3, data="eJyrVkrLz1eyUkpKLFKqBQAdQQQw")

EXAMPLES: dict[str, BaseModel] = {
    "AgentSpec.rollback": AgentSpec(
        name="a",
        instructions="",
        ladder=(ModelRung(kind="model", model="claude-sonnet-4-5"),),
        on_failure="rollback",
    ),
    "CheckpointRequest": CheckpointRequest(
        at=3, start=1_000_000, decisions={"3.2-approval-ab12cd34": DecisionInput(by="dana", choice="reject")}
    ),
    "Fork": FORK,
    "ForkInput": FORK_INPUT,
    "ForkPoint": ForkPoint(
        task="Cut our spend.",
        user="ana",
        checkpoint=CARRIED,
        made=[MADE],
        total=2_000_000,
        digest="0123",
        misfit="no",
    ),
    "LoopState.back": LOOP,
    "MadeCall": MADE,
    "Rewound": REWOUND,
    "RunInput.fork": RunInput(agent="a", task="Cut our spend.", checkpoint=CARRIED, fork=FORK_INPUT),
    "RunView.fork": RunView(
        run="ticket-89",
        agent="a",
        digest="0123",
        task="Cut our spend.",
        user=None,
        dry_run=True,
        status="planning",
        started_at="2026-11-21T03:00:00.000+00:00",
        steps=[],
        requests=[],
        decisions=[],
        ignored=[],
        effects=[],
        usage=Usage(),
        fork=FORK,
        rewind=REWOUND,
        transcript=[user_text("Cut our spend.")],
    ),
    "StepMark": StepMark(
        number=3,
        at="2026-11-21T03:00:00.000+00:00",
        messages=7,
        planned=6,
        calls=4,
        events=19,
        effects=2,
        done_calls=2,
        loop=LOOP,
        usage=Usage(input_tokens=1, cost_usd=Decimal("0.5")),
        context_tokens=900,
        ended=True,
    ),
    "UndoInput": UndoInput(
        run="ticket-88",
        by="dana",
        calls=["3.1"],
        note="a mistake",
        to_step=2,
        earlier=[UNDONE],
        forgotten=True,
    ),
    "UndoOutcome": UndoOutcome(
        run="ticket-88",
        by="dana",
        note="a mistake",
        calls=[UNDONE],
        asked=["3.1"],
        to_step=2,
        earlier=[UNDONE],
        forgotten=True,
    ),
    "UndoneCall": UNDONE,
}
