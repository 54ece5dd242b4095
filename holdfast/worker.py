"""Serving agents from your own process: `Worker`, the Temporal plugin behind it, and the breakers' settings."""

from __future__ import annotations

from holdfast.contracts.breakers import BreakerSettings
from workers.agent_worker import AgentWorker as Worker
from workers.plugin import HoldfastPlugin

__all__ = ["BreakerSettings", "HoldfastPlugin", "Worker"]
