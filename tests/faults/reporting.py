"""What a worker process tells the journal: the points it comes to, and the effects of its tools."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import Any

from temporalio import activity
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from workers.replay import InstanceBehind

JOURNAL = "FAULTS_JOURNAL"
"""The variable that holds the journal's address."""


class Line:
    """An open connection to the journal; what is written to it is sent at once, before anything can be awaited."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls) -> Line:
        """A connection to the journal."""
        host, port = os.environ[JOURNAL].split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def report(self, kind: str, run: str, what: str, key: str = "") -> Any:
        """Tell the journal, and wait until it answers."""
        self._writer.write(_line(kind, run, what, key))
        answer = await self._reader.readline()
        self._writer.close()
        return json.loads(answer)


async def report(kind: str, run: str, what: str, key: str = "") -> Any:
    """Tell the journal, and wait until it answers."""
    line = await Line.open()
    return await line.report(kind, run, what, key)


async def reach(run: str, point: str) -> None:
    """Come to a point, and stay there for as long as the test wants."""
    await report("point", run, point)


def tell(run: str, point: str) -> None:
    """Come to a point where nothing can be awaited: in a workflow's thread, or in a task that is being cancelled."""
    host, port = os.environ[JOURNAL].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(_line("point", run, point))
        connection.recv(100)


async def happened(run: str, tool: str, key: str) -> bool:
    """Look up whether an effect is there."""
    return bool(await report("look_up", run, tool, key))


def _line(kind: str, run: str, what: str, key: str = "") -> bytes:
    told = {"kind": kind, "run": run, "what": what, "key": key, "pid": os.getpid()}
    return json.dumps(told).encode() + b"\n"


class ActivityPoints(Interceptor):
    """Every activity passes `NAME:taken` before its code begins, `NAME:done` or `NAME:failed` before its end is told."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _ActivityPoints(next)


class _ActivityPoints(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # the SDK's name
        info = activity.info()
        run = info.workflow_id or ""
        await reach(run, f"{info.activity_type}:taken")
        try:
            result = await super().execute_activity(input)
        except BaseException:
            tell(run, f"{info.activity_type}:failed")
            raise
        await reach(run, f"{info.activity_type}:done")
        return result


class TaskPoints(WorkflowRunner):
    """Every workflow task of a run passes `task` before its code runs: whoever is held there holds the task."""

    def __init__(self) -> None:
        self._runner = UnsandboxedWorkflowRunner()

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _TaskPoints(self._runner.create_instance(det), det.info.workflow_id)


class _TaskPoints(InstanceBehind):
    def __init__(self, instance: WorkflowInstance, run: str) -> None:
        super().__init__(instance)
        self._run = run

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        passing = ("remove_from_cache", "query_workflow")
        if not act.is_replaying and any(job.WhichOneof("variant") not in passing for job in act.jobs):
            tell(self._run, "task")
        return super().activate(act)
