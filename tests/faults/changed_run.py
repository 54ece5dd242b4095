"""The workflow of another build: a module of its own, so that a sandbox can load it without what tests import."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue, VersioningBehavior

from holdfast.contracts import names
from holdfast.contracts.run import RunOutcome
from workflows.any_payloads import NOTHING, any_payloads_async
from workflows.pinned_run import PinnedRun


@workflow.defn(name=names.AGENT_RUN, versioning_behavior=VersioningBehavior.PINNED)
class ChangedRun(PinnedRun):
    """A later release's workflow: what it orders first is something else."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> RunOutcome:
        """Wait a moment, then run as ever."""
        await workflow.sleep(timedelta(milliseconds=10))
        outcome: RunOutcome = await super().run(given)
        return outcome
