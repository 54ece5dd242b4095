"""What users and other processes rely on: exported names, names on the wire, and what an import brings."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import _Definition

import holdfast
import holdfast.testing
import holdfast.worker
from holdfast.contracts import names
from workers.passed_through import STRICT_PASSED_THROUGH

ROOT = Path(__file__).parents[1]

EXPORTED = {
    "holdfast": """
        Agent Approval Budget Call CallMade Client Correctable DefinitionError Fatal Finish HoldfastError Human Limits Model
        PastCall PlanView Probed ProposedCall Retry Rules Run RunNotCompleted RunParked Tool ToolContext Transient
        Unauthorised UsageError Verdict Worker arg remote_tool tool
        Compaction File
    """,
    "holdfast.testing": """
        Answer Block ByConversation Delivery DevServer Fault MessagesServer ModelRequest PlayedCall RawJson Script
        ScriptRanOut SpentTokens Step StepFunction answer assert_replays by_conversation call calls cut dev_server
        fault finish hang malformed no_message_stop raw_tool_call say slow stream_error temporal_server thinking
        time_skipping_env truncated_tool_call
    """,
    "holdfast.worker": "AlertSettings BreakerSettings HoldfastPlugin Worker",
}
"""A name may be added; taking one away breaks somebody's program."""

ON_THE_WIRE = {
    "TASK_QUEUE": "holdfast",
    "AGENT_RUN": "AgentRun",
    "UNDO_RUN": "UndoRun",
    "BUDGET_ACCOUNT": "BudgetAccount",
    "ACCOUNT_PREFIX": "holdfast-account/",
    "ACCOUNTS_QUEUE": "holdfast-accounts",
    "RESERVE": "reserve",
    "SETTLE": "settle",
    "SET_LIMIT": "set_limit",
    "WAIT_FOR_ROOM": "wait_for_room",
    "SHOW_ACCOUNT": "show",
    "ACCOUNT_CALLS": "account_calls",
    "BREAKER_BOARD": "BreakerBoard",
    "BREAKER_BOARD_ID": "holdfast-breakers",
    "HEALTH_CHECK": "HealthCheck",
    "HEALTH_CHECK_ID": "holdfast-doctor",
    "CHECK_HEALTH": "holdfast:check_health",
    "PARKED_ALERT": "ParkedAlert",
    "ALERT_PREFIX": "holdfast-alert/",
    "RAISE_ALERT": "holdfast:raise_alert",
    "POST_ALERT": "holdfast:post_alert",
    "ALERT_AGAIN": "again",
    "RESOLVE_AGENT": "resolve_agent",
    "PLAN": "plan",
    "VET": "vet",
    "LIST_EFFECTS": "list_effects",
    "ARCHIVE": "archive",
    "READ_ARTIFACT": "read_artifact",
    "COMPACT": "compact",
    "ENGINE_ACTIVITIES": frozenset(
        {"resolve_agent", "plan", "vet", "list_effects", "archive", "read_artifact", "compact"}
    ),
    "UNDO_SUFFIX": ":undo",
    "PROBE_SUFFIX": ":probe",
    "NOT_STARTED": "NotStarted",
    "FINISH": "finish",
    "ASK_HUMAN": "ask_human",
    "BUILT_IN_CALLS": frozenset({"finish", "ask_human", "read_artifact"}),
    "APPROVE": "approve",
    "REJECT": "reject",
    "ANSWER": "answer",
    "DECIDE": "decide",
    "MESSAGE": "message",
    "PAUSE": "pause",
    "RESUME": "resume",
    "RAISE_LIMITS": "raise_limits",
    "BREAKER_REPORT": "report",
    "INSPECT": "inspect",
    "EVENTS": "events",
    "REHEARSE": "rehearse",
    "REQUESTS": "requests",
    "TRANSCRIPT": "transcript",
    "SPEC": "spec",
    "EFFECTS": "effects",
    "ARCHIVED": "archived",
    "BREAKERS": "breakers",
    "CHECKPOINT": "checkpoint",
    "REWOUND": "rewound",
    "SA_PARENT": "ParentRun",
    "SA_AGENT": "AgentName",
    "SA_DIGEST": "AgentDigest",
    "SA_STATUS": "RunStatus",
    "SA_WAITING_FOR": "WaitingFor",
    "SA_USER": "RunUser",
    "SA_FINGERPRINT": "FailureFingerprint",
    "SA_COST": "CostUsd",
    "SA_STEPS": "Steps",
}
"""Written out again on purpose: histories, dashboards and tools in other languages hold these words."""


@pytest.mark.parametrize("module", EXPORTED)
def test_the_exported_names_are_these(module: str) -> None:
    """Each module exports what its users know, sorted, and every name is there."""
    found = importlib.import_module(module)
    assert list(found.__all__) == sorted(EXPORTED[module].split())
    assert [name for name in found.__all__ if not hasattr(found, name)] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Names are loaded on first use, and one that is not there fails as in any module."""
    with pytest.raises(AttributeError, match="module 'holdfast' has no attribute 'Agnet'"):
        _ = holdfast.Agnet  # type: ignore[attr-defined]  # what is refused


def test_names_on_the_wire_do_not_change() -> None:
    """Whatever another process calls by name keeps its name, and each new one is pinned here."""
    found = {name: value for name, value in vars(names).items() if name.isupper()}
    assert found == ON_THE_WIRE


@pytest.mark.parametrize(
    "workflow",
    [
        "workflows.agent_run:AgentRun",
        "workflows.breaker_board:BreakerBoard",
        "workflows.budget_account:BudgetAccount",
        "workflows.health_check:HealthCheck",
        "workflows.parked_alert:ParkedAlert",
        "workflows.pinned_run:PinnedRun",
        "workflows.undo_run:UndoRun",
    ],
)
async def test_every_workflow_loads_in_the_strict_sandbox(workflow: str) -> None:
    """What a workflow imports loads where network and randomness are forbidden; clocks are the linter's part."""
    module, _, name = workflow.partition(":")
    kind = getattr(importlib.import_module(module), name)
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*STRICT_PASSED_THROUGH)
    definition = _Definition.must_from_class(kind)
    SandboxedWorkflowRunner(restrictions=restrictions).prepare_workflow(definition)


def test_every_workflow_is_tried_in_the_sandbox() -> None:
    """The test above knows all workflow classes."""
    defined = [
        path.stem for path in (ROOT / "workflows").glob("*.py") if "@workflow.defn" in path.read_text()
    ]
    assert sorted(defined) == [
        "agent_run", "breaker_board", "budget_account", "health_check", "parked_alert", "pinned_run", "undo_run",
    ]  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh Python has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


AUTHORS = {
    "holdfast.agent",
    "holdfast.tools",
    "holdfast.approvals",
    "holdfast.signatures",
    "holdfast.promises",
    "holdfast.context",
}
HEAVY = {"temporalio", "anthropic", "genai_prices", "boto3", "typer", "rich", "h11", "opentelemetry"}


@pytest.mark.parametrize(
    "statement,absent",
    [
        ("import holdfast", AUTHORS | HEAVY | {"pydantic", "workflows", "activities", "workers"}),
        ("import holdfast.contracts.run", AUTHORS | HEAVY | {"jsonschema_rs"}),
        ("import policies.approval, policies.handoff, policies.validation", AUTHORS | HEAVY),
        ("from holdfast import Agent, tool, Model, Rules", HEAVY | {"workflows", "activities", "workers"}),
        ("from holdfast import Client", {"anthropic", "workflows", "activities", "workers", "policies"}),
        ("import workflows.agent_run", AUTHORS | {"anthropic", "activities", "workers"}),
        ("import workers.plugin", {"anthropic", "boto3", "typer", "rich"}),
        ("import holdfast.cli", {"temporalio", "anthropic", "workflows", "activities"}),
    ],
)
def test_an_import_brings_no_more_than_it_needs(statement: str, absent: set[str]) -> None:
    """Authors define agents without Temporal, clients run without the engine, and nobody waits for the SDK."""
    assert loaded_by(statement) & absent == set()
