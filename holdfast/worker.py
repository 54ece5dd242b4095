"""Serving agents from your own process: `Worker`, and the Temporal plugin behind it."""

from __future__ import annotations

from workers.agent_worker import AgentWorker as Worker
from workers.plugin import HoldfastPlugin

__all__ = ["HoldfastPlugin", "Worker"]
