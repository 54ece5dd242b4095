"""Every error that Holdfast raises or understands, named by who must act.

```
HoldfastError
├── DefinitionError        the author must change the agent or tool; raised where it is defined
├── UsageError             the caller must change the call; nothing has happened
│   ├── ConnectionFailed   … start a server, or name the right one
│   ├── AgentNotServed     … start a worker that serves the agent, or name the right one
│   ├── RunNotFound        … name a run that exists
│   ├── NoWorkerAnswers    … start a worker; the run is safe and waits
│   ├── DecisionRefused    … the request is closed, unknown, or this decision does not fit it
│   └── ArtifactNotFound   … the artifact was deleted, or is in another store than this process uses
├── ArtifactStoreFailed    an operator must mend the artifact store, or name another
├── RunNotCompleted        the run has no full result; `.outcome` holds what there is
│   └── RunParked          … it has not ended: a person must move it on
└── ToolError              raised by tools, guards and rule planners, to say who acts
    ├── Transient          the engine retries
    ├── Correctable        the model is told and may do better
    ├── Unauthorised       the credentials are refreshed once; then a human must renew them
    └── Fatal              it will never work; the model is told not to try again
```

Any other exception that a tool raises is *unclassified*: it is retried where that is safe, and a human
hears of it where it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.contracts.run import RunOutcome


class HoldfastError(Exception):
    """The root of all errors of Holdfast."""


class DefinitionError(HoldfastError):
    """An agent or tool promises something unsafe or impossible; the message holds the fix.

    Raised when the agent or tool is defined, so that no run can start with it.
    """


class UsageError(HoldfastError):
    """The caller asked for something that cannot be done; nothing has happened."""


class ConnectionFailed(UsageError):
    """No Temporal server answers at the address, or it went away; start one with `holdfast dev`, or name another."""


class AgentNotServed(UsageError):
    """No worker serves an agent of that name; the message lists the ones that are served."""


class RunNotFound(UsageError):
    """There is no run of that id in this namespace; `holdfast runs` lists them."""


class NoWorkerAnswers(UsageError):
    """The run exists, but no worker of its task queue answers; start one with `holdfast worker`."""


class DecisionRefused(UsageError):
    """A decision changed nothing: its request is unknown or closed, or it does not fit the request."""


class ArtifactNotFound(UsageError):
    """The store holds no such artifact: it was deleted, or was written to another store than this process uses."""


class ArtifactStoreFailed(HoldfastError):
    """The artifact store cannot be reached, read or written; the message says which and why."""


class RunNotCompleted(HoldfastError):
    """The run ended as partial, failed or cancelled.

    Attributes:
        outcome: Everything the run has to show: status, reason, partial output, effects, usage.
    """

    def __init__(self, message: str, outcome: RunOutcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class RunParked(RunNotCompleted):
    """The run is parked: open, complete, and only a person can move it on. `.outcome` is that so far."""


class ToolError(HoldfastError):
    """What a tool, guard or rule planner raises to say who must act. Raise one of its kinds."""


class Transient(ToolError):
    """The other side is busy or out of reach; the engine retries, within the tool's bounds.

    From a write that is not idempotent this is an *unknown outcome*, since the request may have arrived.

    Attributes:
        retry_after: Seconds to wait before the next attempt; None leaves it to the tool's retry policy.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Correctable(ToolError):
    """The call was wrong and had no effect; the model is told the message and may try something else."""


class Unauthorised(ToolError):
    """The credentials are missing, wrong or expired; nothing happened.

    From a tool: its `refresh` is called once, and the tool once more. Where that does not help the run is parked until a
    human has renewed the credentials. From a guard or a rule planner it is as `Fatal`.
    """


class Fatal(ToolError):
    """The call had no effect and will never work; no retry, the model is told so."""
