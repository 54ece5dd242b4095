"""The workflow of another release: a module of its own, so that a sandbox can load it without what tests import."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue, VersioningBehavior

from holdfast.contracts import names
from holdfast.contracts.run import RunOutcome
from workflows.agent_run import AgentRun
from workflows.any_payloads import NOTHING, any_payloads_async


@workflow.defn(name=names.AGENT_RUN)
class ChangedRun(AgentRun):
    """What it orders first is something else."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> RunOutcome:
        """Wait a moment, then run as ever."""
        await workflow.sleep(timedelta(milliseconds=10))
        outcome: RunOutcome = await super().run(given)
        return outcome


@workflow.defn(name=names.AGENT_RUN, versioning_behavior=VersioningBehavior.PINNED)
class PinnedChangedRun(ChangedRun):
    """The same as versioned workers serve it, which unversioned ones cannot."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> RunOutcome:
        """As `ChangedRun.run`."""
        outcome: RunOutcome = await super().run(given)
        return outcome
