"""The built-in call `read_artifact`: a page of what is too large for the transcript."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from holdfast.contracts import names
from holdfast.contracts.artifacts import ArtifactRead
from holdfast.contracts.calls import CallRecord
from policies import feedback
from policies.excerpts import MAX_PAGE_BYTES
from policies.labels import call_summary
from workflows.call_execution import Answer
from workflows.failure_reading import read_failure
from workflows.options import as_kwargs, engine_options
from workflows.run_state import RunState


async def read_artifact(state: RunState, record: CallRecord) -> Answer:
    """The page that a valid call asks for, as the model reads it. A store that fails is told to the model."""
    asked = record.arguments
    record.status = "running"
    state.show()
    artifact = next(ref for ref in state.artifacts if ref.id == asked["artifact"])
    try:
        page: str = await workflow.execute_activity(
            names.READ_ARTIFACT,
            ArtifactRead(
                run=state.run,
                call=record.id,
                artifact=artifact.model_copy(update={"head": ""}),
                offset=int(asked.get("offset", 0)),
                length=int(asked.get("length", MAX_PAGE_BYTES)),
                find=asked.get("find", ""),
            ),
            result_type=str,
            **as_kwargs(engine_options(call_summary(record.tool, asked))),
        )
    except ActivityError as error:
        record.status, record.failure = "failed", read_failure(error).failure
        return Answer(feedback.failed(record.failure), is_error=True)
    record.status = "done"
    return Answer(page, verbatim=True)
