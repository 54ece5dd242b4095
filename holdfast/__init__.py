"""Holdfast runs AI agents that survive production: one Temporal workflow a run."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.agent import Agent, Budget, Human, Limits, Model, Rules
    from holdfast.approvals import Approval, arg
    from holdfast.client import Client, Run
    from holdfast.compacting import Compaction
    from holdfast.context import Call, CallMade, Finish, PastCall, PlanView, ProposedCall, ToolContext
    from holdfast.contracts.calls import Probed, Verdict
    from holdfast.errors import (
        Correctable,
        DefinitionError,
        Fatal,
        HoldfastError,
        RunNotCompleted,
        RunParked,
        Transient,
        Unauthorised,
        UsageError,
    )
    from holdfast.files import File
    from holdfast.tools import Retry, Tool, remote_tool, tool
    from holdfast.worker import Worker

_HOME = {
    "Agent": "holdfast.agent",
    "Approval": "holdfast.approvals",
    "Budget": "holdfast.agent",
    "Call": "holdfast.context",
    "Client": "holdfast.client",
    "Run": "holdfast.run",
    "Worker": "holdfast.worker",
    "CallMade": "holdfast.context",
    "Compaction": "holdfast.compacting",
    "Correctable": "holdfast.errors",
    "DefinitionError": "holdfast.errors",
    "Fatal": "holdfast.errors",
    "File": "holdfast.files",
    "Finish": "holdfast.context",
    "HoldfastError": "holdfast.errors",
    "Human": "holdfast.agent",
    "Limits": "holdfast.agent",
    "Model": "holdfast.agent",
    "PastCall": "holdfast.context",
    "PlanView": "holdfast.context",
    "Probed": "holdfast.contracts.calls",
    "ProposedCall": "holdfast.context",
    "Retry": "holdfast.tools",
    "Rules": "holdfast.agent",
    "RunNotCompleted": "holdfast.errors",
    "RunParked": "holdfast.errors",
    "Tool": "holdfast.tools",
    "ToolContext": "holdfast.context",
    "Transient": "holdfast.errors",
    "Unauthorised": "holdfast.errors",
    "UsageError": "holdfast.errors",
    "Verdict": "holdfast.contracts.calls",
    "arg": "holdfast.approvals",
    "remote_tool": "holdfast.tools",
    "tool": "holdfast.tools",
}
"""Where each public name lives. Imported on first use: replayed code imports `holdfast.contracts`, and must
not load the authors' side with it."""

__all__ = [
    "Agent",
    "Approval",
    "Budget",
    "Call",
    "CallMade",
    "Client",
    "Compaction",
    "Correctable",
    "DefinitionError",
    "Fatal",
    "File",
    "Finish",
    "HoldfastError",
    "Human",
    "Limits",
    "Model",
    "PastCall",
    "PlanView",
    "Probed",
    "ProposedCall",
    "Retry",
    "Rules",
    "Run",
    "RunNotCompleted",
    "RunParked",
    "Tool",
    "ToolContext",
    "Transient",
    "Unauthorised",
    "UsageError",
    "Verdict",
    "Worker",
    "arg",
    "remote_tool",
    "tool",
]


if not TYPE_CHECKING:  # a type checker that saw it would take every misspelled name for a good one

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            msg = f"module 'holdfast' has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
