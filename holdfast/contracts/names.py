"""Names that other processes rely on: pinned by `tests/test_surface.py`, never to be changed."""

from typing import Final

TASK_QUEUE: Final = "holdfast"
"""The task queue that workers serve and clients use when nothing else is named."""

AGENT_RUN: Final = "AgentRun"
"""The workflow type of every run of every agent."""

UNDO_RUN: Final = "UndoRun"
"""The workflow type that takes back what a run did."""

BUDGET_ACCOUNT: Final = "BudgetAccount"
"""The workflow type of an account: a budget that runs share."""

ACCOUNT_PREFIX: Final = "holdfast-account/"
"""`holdfast-account/user/ana` is the workflow id of the account `user/ana`."""

ACCOUNTS_QUEUE: Final = "holdfast-accounts"
"""The task queue of all accounts of a namespace; every worker serves it beside its own."""

RESERVE: Final = "reserve"
SETTLE: Final = "settle"
SET_LIMIT: Final = "set_limit"
WAIT_FOR_ROOM: Final = "wait_for_room"
SHOW_ACCOUNT: Final = "show"
ACCOUNT_CALLS: Final = "account_calls"
"""The signal by which an account tells a waiting run to ask again."""
BREAKER_BOARD: Final = "BreakerBoard"
"""The workflow type that keeps the circuit breakers of one task queue."""

BREAKER_BOARD_ID: Final = "holdfast-breakers"
"""Its id is `holdfast-breakers/<task queue>`."""

HEALTH_CHECK: Final = "HealthCheck"
"""The workflow type of one check of how everything is; a schedule starts it."""

HEALTH_CHECK_ID: Final = "holdfast-doctor"
"""`holdfast-doctor/<task queue>` is the id of the schedule, and what the ids of its checks begin with."""

CHECK_HEALTH: Final = "holdfast:check_health"
"""The activity that looks. A colon cannot stand in a tool's name."""

PARKED_ALERT: Final = "ParkedAlert"
"""The workflow type that alerts people of one cause: of parked runs, of a finding, or of requests that wait."""

ALERT_PREFIX: Final = "holdfast-alert/"
"""Its id is `holdfast-alert/<task queue>/<fingerprint>`."""

RAISE_ALERT: Final = "holdfast:raise_alert"
POST_ALERT: Final = "holdfast:post_alert"
"""Activities: they start an alert, and send it."""

ALERT_AGAIN: Final = "again"
"""The signal by which an alert hears of each run that has what it tells of."""

# Activities of the engine. A tool's activity is named after the tool itself.
RESOLVE_AGENT: Final = "resolve_agent"
PLAN: Final = "plan"
VET: Final = "vet"
LIST_EFFECTS: Final = "list_effects"
ARCHIVE: Final = "archive"
READ_ARTIFACT: Final = "read_artifact"
"""Also the name of the built-in call that it carries out."""
COMPACT: Final = "compact"
ENGINE_ACTIVITIES: Final = frozenset(
    {RESOLVE_AGENT, PLAN, VET, LIST_EFFECTS, ARCHIVE, READ_ARTIFACT, COMPACT}
)

UNDO_SUFFIX: Final = ":undo"
PROBE_SUFFIX: Final = ":probe"
"""`stop_instance:probe` is the activity that finds out whether `stop_instance` happened.
Colons cannot stand in a tool's name, so these cannot collide with one."""

NOT_STARTED: Final = "NotStarted"
"""Error type of an activity that failed before it began its work: nothing can have happened."""

# Built-in calls: offered to every agent, carried out by the engine.
FINISH: Final = "finish"
ASK_HUMAN: Final = "ask_human"
BUILT_IN_CALLS: Final = frozenset({FINISH, ASK_HUMAN, READ_ARTIFACT})

# Signals and updates.
APPROVE: Final = "approve"
REJECT: Final = "reject"
ANSWER: Final = "answer"
DECIDE: Final = "decide"
MESSAGE: Final = "message"
PAUSE: Final = "pause"
RESUME: Final = "resume"
REWOUND: Final = "rewound"
RAISE_LIMITS: Final = "raise_limits"
"""A signal, and an update that is validated."""

BREAKER_REPORT: Final = "report"
"""Of the breaker board."""

# Queries.
INSPECT: Final = "inspect"
EVENTS: Final = "events"
REHEARSE: Final = "rehearse"
REQUESTS: Final = "requests"
TRANSCRIPT: Final = "transcript"
SPEC: Final = "spec"
EFFECTS: Final = "effects"
ARCHIVED: Final = "archived"
BREAKERS: Final = "breakers"
"""Of the breaker board."""
CHECKPOINT: Final = "checkpoint"

# Search attributes (Keyword unless said otherwise).
SA_PARENT: Final = "ParentRun"
SA_AGENT: Final = "AgentName"
SA_DIGEST: Final = "AgentDigest"
SA_STATUS: Final = "RunStatus"
SA_WAITING_FOR: Final = "WaitingFor"
SA_USER: Final = "RunUser"
SA_FINGERPRINT: Final = "FailureFingerprint"
SA_COST: Final = "CostUsd"
"""Double, USD."""
SA_STEPS: Final = "Steps"
"""Int."""
