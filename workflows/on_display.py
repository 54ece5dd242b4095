"""What the Temporal UI shows of a run without asking it: its details, and the search attributes that lists are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from holdfast.contracts import names
from policies import details, lifecycle
from policies.json_safety import brief
from workflows import answering
from workflows.current_details import CurrentDetails

if TYPE_CHECKING:
    from workflows.run_state import RunState

MAX_KEYWORD_CHARS = 300
"""The server ends a run that sets a search attribute of more than 2048 bytes."""

_AGENT = SearchAttributeKey.for_keyword(names.SA_AGENT)
_DIGEST = SearchAttributeKey.for_keyword(names.SA_DIGEST)
_STATUS = SearchAttributeKey.for_keyword(names.SA_STATUS)
_WAITING = SearchAttributeKey.for_keyword(names.SA_WAITING_FOR)
_FINGERPRINT = SearchAttributeKey.for_keyword(names.SA_FINGERPRINT)
_PARENT = SearchAttributeKey.for_keyword(names.SA_PARENT)
_USER = SearchAttributeKey.for_keyword(names.SA_USER)
_COST = SearchAttributeKey.for_float(names.SA_COST)
_STEPS = SearchAttributeKey.for_int(names.SA_STEPS)


def details_of(state: RunState) -> CurrentDetails:
    """The run's details, to be refreshed whenever something has changed."""
    return CurrentDetails(lambda: details.details(answering.view(state)))


def show(state: RunState) -> None:
    """Refresh the details, and the search attributes only when the world should know: each time is an event."""
    state.details.refresh()
    coarse = "running" if state.status in lifecycle.OPEN - lifecycle.AT_REST else state.status
    waiting = next(iter(state.requests.values()), None)
    cause = state.parked_now.fingerprint if state.parked_now else None
    shown = (coarse, waiting and (waiting.kind, waiting.asked), state.digest, cause)
    if shown == state.shown:
        return
    before, state.shown = state.shown, shown
    first = before is None
    updates: list[SearchAttributeUpdate[Any]] = [
        _STATUS.value_set(coarse),
        _WAITING.value_set(brief(f"{waiting.kind}:{waiting.asked}", MAX_KEYWORD_CHARS))
        if waiting
        else _WAITING.value_unset(),
    ]
    if before is not None and before[2] != state.digest:
        updates.append(_DIGEST.value_set(state.digest))
    if cause != (before[3] if before else None):
        updates.append(_FINGERPRINT.value_set(cause) if cause else _FINGERPRINT.value_unset())
    if first:
        updates += [_AGENT.value_set(state.spec.name), _DIGEST.value_set(state.digest)]
        updates += [_USER.value_set(state.given.user)] if state.given.user else []
        updates += (
            [_PARENT.value_set(brief(state.given.fork.run, MAX_KEYWORD_CHARS))] if state.given.fork else []
        )
    if not first or state.status in lifecycle.ENDED:
        updates += [_COST.value_set(float(state.usage.cost_usd)), _STEPS.value_set(len(state.steps))]
    workflow.upsert_search_attributes(updates)
