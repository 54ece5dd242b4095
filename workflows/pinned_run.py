"""`AgentRun` as versioned workers serve it: it stays with the build that it began on."""

from temporalio import workflow
from temporalio.common import RawValue, VersioningBehavior

from holdfast.contracts import names
from holdfast.contracts.run import RunOutcome
from workflows.agent_run import AgentRun
from workflows.any_payloads import NOTHING, any_payloads_async


@workflow.defn(name=names.AGENT_RUN, versioning_behavior=VersioningBehavior.PINNED)
class PinnedRun(AgentRun):
    """The same workflow. A class of its own, since the server takes this behaviour from versioned workers only."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> RunOutcome:
        """As `AgentRun.run`."""
        outcome: RunOutcome = await super().run(given)
        return outcome
