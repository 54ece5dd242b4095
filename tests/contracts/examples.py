"""One or more values of every contract, between them with every field set: what a release's golden files hold."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import holdfast.contracts
from holdfast.contracts import artifacts, base, calls, messages, plans, requests, run, spec, steering, undo
from holdfast.contracts.compacting import CompactionSpec
from tests.contracts.examples_checkpoints import UNDONE
from tests.contracts.examples_context import COMPACTED
from tests.contracts.examples_parked import NOTE

DIGEST = "0123456789abcdef0123456789abcdef"
ARTIFACT = artifacts.ArtifactRef(id=DIGEST, bytes=52_428_800, call="3.1")
AT = "2026-11-21T03:00:00.000+00:00"
LATER = "2026-11-22T03:00:00+00:00"
HEARD = steering.PersonMessage(text="only eu-west-1", by="ana", at=AT)
PAUSED = steering.Pause(by="dana", at=AT, reason="an upgrade")

SCHEMA = {
    "type": "object",
    "properties": {"instance": {"type": "string"}, "cost": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
    "required": ["instance"],
}
ARGUMENTS: dict[str, Any] = {"instance": "i-0abc", "cost": 120.5, "tags": ["ü", None, True, {"a": 2**53}]}

CONDITION = spec.AllOf(
    kind="all",
    conditions=(
        spec.Compare(kind="compare", argument="cost", op=">", value="100.00"),
        spec.AnyOf(
            kind="any",
            conditions=(
                spec.Compare(kind="compare", argument="instance", op="in", value=["i-1", "i-2"]),
                spec.Compare(kind="compare", argument="force", op="==", value=True),
            ),
        ),
    ),
)
RETRY = spec.RetrySpec(attempts=3, initial_seconds=0.5, coefficient=1.5, maximum_seconds=10.0)
COMPACTION = CompactionSpec(model="claude-haiku-4-5", at=0.5, keep=6)
APPROVAL = spec.ApprovalSpec(
    by="finops",
    when=CONDITION,
    expires_in_seconds=86_400.0,
    remind_after_seconds=600.0,
    escalate_after_seconds=3_600.0,
    escalate_to="head-of-finance",
)
STOP = spec.ToolSpec(
    name="ec2.stop",
    description="Stop an instance.",
    input_schema=SCHEMA,
    output_schema={"type": "string"},
    effect="reversible",
    idempotent=True,
    timeout_seconds=60.0,
    heartbeat_seconds=None,
    retry=RETRY,
    approval=APPROVAL,
    waiver="a stopped instance can be started",
    key="stop/{instance}",
    guards=("not_on_fridays",),
    exclusive=True,
    task_queue="ec2",
    queue_seconds=120.0,
    has_undo=True,
    has_probe=True,
    depends_on=("ec2",),
    has_dry_run=True,
    max_result_chars=4000,
)
MODEL = spec.ModelRung(
    kind="model",
    model="claude-sonnet-4-5",
    max_tokens=4096,
    thinking={"type": "enabled", "budget_tokens": 2048},
    timeout_seconds=300.0,
    context_window=100_000,
    heartbeat_seconds=20.0,
    retry=RETRY,
)
RULES = spec.RulesRung(
    kind="rules", function="plan_by_rules", timeout_seconds=10.0, heartbeat_seconds=5.0, retry=RETRY
)
LIMITS = spec.LimitsSpec(
    steps=30, calls=60, tokens=500_000, cost_usd=Decimal("1.50"), wall_clock_seconds=7200.0
)
AGENT = spec.AgentSpec(
    name="cloud-costs",
    instructions="Cut costs.\nTouch nothing that is needed.",
    tools=(STOP, spec.ToolSpec(name="look", input_schema={}, effect="read")),
    guards=("never_touch_production",),
    output_schema=SCHEMA,
    ladder=(MODEL, RULES),
    limits=LIMITS,
    autonomy="supervised",
    dry_run=True,
    approvers="ops",
    compaction=COMPACTION,
    max_argument_bytes=1024,
    rejections=5,
)

FAILURE = calls.Failure(kind="transient", message="the connection was lost", error="ConnectTimeout")
TOOL_INPUT = calls.ToolInput(
    run="ticket-88",
    call="3.1",
    agent="cloud-costs",
    digest=DIGEST,
    tool="ec2.stop",
    arguments=ARGUMENTS,
    idempotency_key="stop/i-0abc",
    dry_run=True,
    user="ana",
    result={"stopped": True},
)
CALL = calls.CallRecord(
    id="3.1",
    tool_use_id="toolu_01",
    tool="ec2.stop",
    arguments=ARGUMENTS,
    effect="reversible",
    status="failed",
    why="it costs money",
    idempotency_key="stop/i-0abc",
    fingerprint=DIGEST,
    dry_run=True,
    approved_by="dana",
    preview="stopped",
    failure=FAILURE,
    started_at=AT,
    finished_at=AT,
)
EFFECT = calls.EffectRecord(
    call="3.1",
    tool="ec2.stop",
    arguments=ARGUMENTS,
    idempotency_key="stop/i-0abc",
    outcome="done",
    reversible=True,
    approved_by="dana",
    undone=True,
)
USAGE = plans.Usage(
    input_tokens=1200,
    output_tokens=300,
    cache_read_tokens=9000,
    cache_write_tokens=500,
    cost_usd=Decimal("0.012345"),
    model_calls=3,
    unpriced=1,
)
SAID = messages.Message(
    role="assistant",
    content=[
        {"type": "thinking", "thinking": "", "signature": "c2lnbmF0dXJl"},
        {"type": "text", "text": "I stop it. 😀"},
        {"type": "tool_use", "id": "toolu_01", "name": "ec2_stop", "input": ARGUMENTS},
        {"type": "from_the_future", "data": [1, 1.5, None]},
    ],
)
TOLD = messages.Message(
    role="user",
    content=[
        {"type": "tool_result", "tool_use_id": "toolu_01", "content": "no", "is_error": True},
        {"type": messages.REFERENCE, "tool_use_id": "toolu_02", "call": "3.2"},
    ],
)
REQUEST = requests.Request(
    id="3.1-approval-ab12cd34",
    kind="approval",
    run="ticket-88",
    agent="cloud-costs",
    digest=DIGEST,
    step=3,
    why="it costs money",
    by="finops",
    call="3.1",
    tool="ec2.stop",
    arguments=ARGUMENTS,
    reversible=True,
    dry_run=True,
    opened_at=AT,
    deadline=LATER,
    remind_at=LATER,
    reminded_at=LATER,
    escalate_at=LATER,
    escalate_to="head-of-finance",
    escalated_at=LATER,
)
DECISION = requests.Decision(
    request="3.1-approval-ab12cd34",
    choice="approve",
    by="dana",
    note="ok",
    reason="none",
    arguments=ARGUMENTS,
    answer="happened",
    result={"stopped": True},
    via="update",
    at=AT,
)
IGNORED = requests.Ignored(at=AT, signal="approve", why="request 'x' is not open")
STEP = run.StepRecord(
    number=3,
    rung=1,
    planner="claude-sonnet-4-5",
    stop_reason="tool_use",
    text="I stop it.",
    usage=USAGE,
    seconds=1.25,
    started_at=AT,
    finished_at=AT,
    position=5,
    calls=[CALL],
)
DONE_CALL = undo.DoneCall(input=TOOL_INPUT, tool=STOP, undone=True, rewound="ab12cd", forgotten=True)
OUTCOME = run.RunOutcome(
    run="ticket-88",
    agent="cloud-costs",
    digest=DIGEST,
    status="partial",
    output={"stopped": ["i-0abc"], "saved": "120.50"},
    reason="it reached the limit of 30 steps",
    steps=30,
    calls=41,
    usage=USAGE,
    effects=[EFFECT],
    total_effects=41,
    failure=FAILURE,
    untold=[HEARD],
    rolled_back=[UNDONE],
)
VERDICT = calls.Verdict(kind="ask", why="on a Friday?", by="dana", guard="not_on_fridays")
VETTED = calls.VettedCall(
    call="3.1", tool="ec2.stop", effect="reversible", arguments=ARGUMENTS, guards=("not_on_fridays",)
)


def _requests() -> Iterator[tuple[str, BaseModel]]:
    for kind in requests.CHOICES:
        yield f"Request.{kind}", REQUEST.model_copy(update={"kind": kind, "id": f"3.1-{kind}-ab12cd34"})


def examples() -> dict[str, BaseModel]:
    """By the name of their golden file: the contract's, and which of its kinds."""
    return {
        "AgentSpec": AGENT,
        "AgentSpec.least": spec.AgentSpec(name="a", instructions="", ladder=(MODEL,)),
        "AllOf": CONDITION,
        "AnyOf": CONDITION.conditions[1],
        "ApprovalSpec": APPROVAL,
        "CallRecord": CALL,
        "Compare": spec.Compare(kind="compare", argument="cost", op=">=", value=100),
        "Decision": DECISION,
        "Decision.expire": requests.Decision(
            request="r", choice="expire", by="nobody", via="deadline", at=AT
        ),
        "DecisionInput": requests.DecisionInput(
            request="3.1-approval-ab12cd34",
            by="dana",
            note="ok",
            arguments=ARGUMENTS,
            reason="too dear",
            answer="happened",
            result=[1, None],
            choice="approve",
        ),
        "Defect": plans.Defect(block=2, message="it is no JSON"),
        "DoneCall": DONE_CALL,
        "EffectRecord": EFFECT,
        "EffectsRequest": undo.EffectsRequest(run="ticket-88", after=7),
        "EventsRequest": run.EventsRequest(after=7, limit=9),
        "Failure": FAILURE,
        "GuardInput": calls.GuardInput(
            run="ticket-88", agent="cloud-costs", digest=DIGEST, user="ana", dry_run=True, calls=[VETTED]
        ),
        "GuardOutcome": calls.GuardOutcome(verdicts={"3.1": VERDICT, "3.2": calls.Verdict.allow()}),
        "Ignored": IGNORED,
        "InspectRequest": run.InspectRequest(from_step=7),
        "LimitsSpec": LIMITS,
        "Message.assistant": SAID,
        "Message.user": TOLD,
        "ModelRung": MODEL,
        "Page": messages.Page(position=1, total=3, messages=[SAID, TOLD]),
        "PageRequest": messages.PageRequest(start=1, stop=3, max_bytes=1000, opening=True),
        "PlanInput": plans.PlanInput(
            run="ticket-88",
            agent="cloud-costs",
            digest=DIGEST,
            step=3,
            rung=1,
            position=4,
            before=DIGEST,
            new=[TOLD],
            after=DIGEST,
            last_turn=True,
            max_tokens_factor=2,
            user="ana",
            may_cost_usd=Decimal("0.42"),
            seen=plans.Seen(start=11, base=DIGEST, opening=DIGEST[::-1]),
            has_artifacts=True,
        ),
        "PlanOutcome": plans.PlanOutcome(
            content=SAID.content,
            stop_reason="tool_use",
            planner="claude-sonnet-4-5",
            kind="model",
            usage=USAGE,
            defects=[plans.Defect(block=2, message="it is no JSON")],
            request_id="req_01",
            seconds=1.25,
        ),
        "Probed": calls.Probed(finding="happened", result={"stopped": True}, note="seen in the log"),
        **dict(_requests()),
        "RetrySpec": RETRY,
        "RulesRung": RULES,
        "RunEvent": run.RunEvent(
            number=7, at=AT, kind="decision", step=3, text="approved", data=DECISION.model_dump(mode="json")
        ),
        "RunInput": run.RunInput(agent="cloud-costs", task="Cut our spend.", user="ana", dry_run=False),
        "RunInput.least": run.RunInput(agent="cloud-costs", task="Cut our spend."),
        "RunOutcome": OUTCOME,
        "RunView": run.RunView(
            run="ticket-88",
            agent="cloud-costs",
            digest=DIGEST,
            task="Cut our spend.",
            user="ana",
            dry_run=True,
            status="partial",
            started_at=AT,
            finished_at=AT,
            steps=[STEP],
            total_steps=30,
            requests=[REQUEST],
            decisions=[DECISION],
            ignored=[IGNORED],
            messages=[HEARD],
            paused=PAUSED,
            effects=[EFFECT],
            artifacts=[ARTIFACT],
            compactions=[COMPACTED],
            usage=USAGE,
            outcome=OUTCOME,
            parked=NOTE,
        ),
        "StepRecord": STEP,
        "ToolInput": TOOL_INPUT,
        "ToolSpec": STOP,
        "Usage": USAGE,
        "Verdict": VERDICT,
        "VettedCall": VETTED,
        **_from_beside(),
    }


def _from_beside() -> dict[str, BaseModel]:
    """The `EXAMPLES` of the files beside this one, `examples_….py`, each about one part of the contracts."""
    found: dict[str, BaseModel] = {}
    for path in sorted(Path(__file__).parent.glob("examples_*.py")):
        found |= importlib.import_module(f"tests.contracts.{path.stem}").EXAMPLES
    return found


def contracts() -> dict[str, type[BaseModel]]:
    """Every contract by its name."""
    modules = [module.name for module in pkgutil.iter_modules(holdfast.contracts.__path__)]
    members = [vars(importlib.import_module(f"holdfast.contracts.{name}")).items() for name in modules]
    found = {
        name: member
        for name, member in sorted((one for some in members for one in some), key=lambda one: one[0])
        if isinstance(member, type) and issubclass(member, base.Contract | base.Record)
    }
    return {name: found[name] for name in found if name not in ("Contract", "Record", "_Combinable")}


def without_example() -> list[str]:
    """The contracts and fields that no example sets to anything but its default."""
    missing: list[str] = []
    values = list(examples().values())
    for name, contract in contracts().items():
        own = [value for value in values if type(value) is contract]
        missing += [
            f"{name}.{field}"
            for field, info in contract.model_fields.items()
            if all(getattr(value, field) == info.get_default(call_default_factory=True) for value in own)
        ]
    return missing
