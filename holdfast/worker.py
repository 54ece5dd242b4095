"""Serving agents from your own process: `Worker`, the Temporal plugin behind it, and the settings of breakers and alerts."""

from __future__ import annotations

from activities.alerts import AlertSettings
from holdfast.contracts.breakers import BreakerSettings
from workers.agent_worker import AgentWorker as Worker
from workers.plugin import HoldfastPlugin

__all__ = ["AlertSettings", "BreakerSettings", "HoldfastPlugin", "Worker"]
