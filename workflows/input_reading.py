"""What a workflow is started with: read it, or fail the workflow at once with what is valid.

An input that the SDK decodes itself would fail the workflow task, again and again, where it does not fit.
"""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from policies.json_safety import brief, faults

MAX_PROBLEMS = 5
MAX_CHARS = 600
"""A failure that repeats a large input could not be stored, and the run would never end."""

InputT = TypeVar("InputT", bound=BaseModel)


def read_input(given: RawValue, model: type[InputT], *, start: str) -> InputT:
    """The input as `model`. `start` says what is right, such as `A run starts with {…}`.

    Raises ApplicationError of type `Invalid<model>`: whoever started the workflow must start it otherwise.
    """
    try:
        value = workflow.payload_converter().from_payload(given.payload, dict)
        if found := faults(value):
            raise ValueError(found[0])  # noqa: TRY301  # one message for all that is wrong with an input
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
        wrong = "; ".join(
            f"{brief('.'.join(map(str, e['loc'])) or 'input', 100)}: {e['msg']}" for e in errors
        )
    except Exception as error:  # noqa: BLE001  # an input can be anything
        wrong = str(error) or type(error).__name__
    raise ApplicationError(
        f"{start}. {brief(wrong, MAX_CHARS)}", type=f"Invalid{model.__name__}", non_retryable=True
    )
