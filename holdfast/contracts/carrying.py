"""A checkpoint as the text that a run's input holds: what an execution hands to the next, and a run to its fork."""

import base64
import zlib

from holdfast.contracts.run import Carried
from holdfast.contracts.state import RunCheckpoint


def pack(checkpoint: RunCheckpoint) -> Carried:
    """The checkpoint as an input holds it."""
    data = zlib.compress(checkpoint.model_dump_json().encode(), 6)
    return Carried(
        execution=checkpoint.execution,
        step=checkpoint.total_steps,
        data=base64.b64encode(data).decode("ascii"),
    )


def unpack(data: str) -> RunCheckpoint:
    """The checkpoint in `Carried.data`. Raises ValueError for data that is none."""
    try:
        text = zlib.decompress(base64.b64decode(data, validate=True))
    except zlib.error as error:
        raise ValueError(f"checkpoint.data is no checkpoint: {error}") from None
    return RunCheckpoint.model_validate_json(text)
