"""Which planner is asked.

| what the planner did                                   | what follows                                                    |
|--------------------------------------------------------|-----------------------------------------------------------------|
| transient: timeout, 429, 5xx, cut off, breaker open    | asked again as its `retry` says; then the next rung             |
| credentials: 401, 403, no key                          | renewed once, by its worker; then the next rung                 |
| fatal: 400, unknown model                              | the next rung at once                                           |
| limit: request too large, context full                 | the next rung at once                                           |
| declined: refusal, window exceeded                     | the next rung at once; nothing of the answer is kept            |
| three answers in a row that moved nothing              | the next rung                                                   |
| no money in an account                                 | the next rung that is no human; without one the run waits, asks |
| a human: `pass`                                        | the best rung again                                             |
| a human: no answer by the deadline                     | the next rung                                                   |

Below the last rung the run is parked. The best rung gets another chance after five steps, and after each step that a
human has planned. While a breaker is open its model is waited for only where no model or rules stand below.
"""

from holdfast.contracts.spec import AgentSpec

STEPS_BEFORE_BEST_IS_TRIED_AGAIN = 5
"""After a fall, this many steps are planned by the lower rung before the best one gets another chance."""


def next_rung(spec: AgentSpec, failed: int) -> int | None:
    """The rung below the one that failed, or None when there is none left."""
    return failed + 1 if failed + 1 < len(spec.ladder) else None


def rung_to_try(current: int, failed_at: int | None, step: int, *, human: bool = False) -> int:
    """The rung for a step, given the step at which a better one failed (None: none did).

    A human (`human`: the current rung is one) plans one step; then the best rung gets another chance.
    """
    patience = 1 if human else STEPS_BEFORE_BEST_IS_TRIED_AGAIN
    if failed_at is not None and step - failed_at >= patience:
        return 0
    return current


def is_human(spec: AgentSpec, rung: int) -> bool:
    """Whether a rung is a person."""
    return spec.ladder[rung].kind == "human"


def next_planner(spec: AgentSpec, failed: int) -> int | None:
    """The next rung below that is no human, or None when there is none."""
    below = range(failed + 1, len(spec.ladder))
    return next((rung for rung in below if not is_human(spec, rung)), None)


def planner_below(spec: AgentSpec, rung: int) -> bool:
    """Whether a planner that is no human stands below a rung."""
    return any(one.kind in ("model", "rules") for one in spec.ladder[rung + 1 :])
