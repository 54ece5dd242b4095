"""The strict sandbox: the engine's own workflow code, guarded against clocks, random numbers and I/O.

The SDK's sandbox loads all that a workflow imports anew for every run, to keep authors' globals apart. The engine's
workflows have no globals to keep apart, and in production, without a sandbox, all runs share one copy of its modules
too. So here each workflow's code is loaded once a process, with the same guard; loading it took a quarter of a second
for each workflow of each worker and for each run, most of what the engine's tests computed.

It builds on parts of the SDK that are not public, and is imported only where a strict sandbox is asked for: a release of
the SDK that moves them breaks the engine's tests, and no worker.
"""

from __future__ import annotations

import threading
from typing import Any

from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

# Not public: the SDK has no other way to run two workflows on one copy of guarded modules.
from temporalio.worker.workflow_sandbox._importer import Importer
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext
from temporalio.worker.workflow_sandbox._runner import _Instance

from workers.passed_through import STRICT_PASSED_THROUGH

_RESTRICTIONS = SandboxRestrictions.default.with_passthrough_modules(*STRICT_PASSED_THROUGH)


class _OfThread(RestrictionContext, threading.local):
    """Whether a workflow runs now, in this thread: one that ends must not lower the guard of another thread's."""


class _Loaded(Importer):
    """The guarded modules of one workflow."""

    def __init__(self, module: str) -> None:
        super().__init__(_RESTRICTIONS, _OfThread(), workflow_module_name=module)
        self.lock = threading.Lock()


_loaded: dict[str, _Loaded] = {}


class _Guarded(_Instance):
    """One run, on the modules that the runs before it have loaded."""

    def __init__(self, details: WorkflowInstanceDetails, runner_class: type[Any]) -> None:
        # Not the SDK's own: it would make an importer of its own, and so load everything again.
        self.instance_details = details
        self.runner_class = runner_class
        module = self._workflow_module_name()
        self.importer: _Loaded = _loaded.setdefault(module, _Loaded(module))
        self._current_thread_id: int | None = None
        self.globals_and_locals: dict[str, Any] = {"__file__": "workflow_sandbox.py"}
        with self.importer.lock:  # loading changes the modules that all share
            self._create_instance()

    def get_serialization_context(self, command_info: Any) -> Any:
        """See the SDK. It asks for every payload, and only its own code answers: no sandbox need be entered for it."""
        return self._inside.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        """The same."""
        return self._inside.get_external_store_context(command_info)

    @property
    def _inside(self) -> Any:
        return self.globals_and_locals["__temporal_in_sandbox"]


class StrictRunner(SandboxedWorkflowRunner):
    """Runs the engine's workflows in the strict sandbox."""

    def __init__(self) -> None:
        super().__init__(restrictions=_RESTRICTIONS)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A run of a workflow, guarded. Raises what its module raises while it is loaded."""
        return _Guarded(det, self.runner_class)
