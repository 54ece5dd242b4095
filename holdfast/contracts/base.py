"""The two bases of all contracts, and the JSON types."""

from typing import Any

from pydantic import BaseModel, ConfigDict

Json = Any
"""A JSON value. Spelled `Any`, because a recursive type would be checked again at every boundary."""

JsonObject = dict[str, Any]


class Contract(BaseModel):
    """Stored data: frozen, and unknown fields are ignored, so that a release back can still read it."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Record(BaseModel):
    """Data that the run's own loop fills in as it goes; only the workflow changes it."""

    model_config = ConfigDict(extra="ignore")
