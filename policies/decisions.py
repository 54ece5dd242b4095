"""Does a decision fit its request? By update a misfit is refused; by signal it is recorded and ignored."""

from pydantic import ValidationError

from holdfast.contracts.limits import NewLimits
from holdfast.contracts.parked import Redrive
from holdfast.contracts.requests import ANSWERS, Choice, DecisionInput, Request
from holdfast.contracts.spec import LimitsSpec
from policies import limits, redriving
from policies.limits import Spent


def pick(given: DecisionInput, open_requests: list[Request]) -> Request | str:
    """The request that a decision is about, or why there is none."""
    if given.request is not None:
        found = next((one for one in open_requests if one.id == given.request), None)
        return found or f"request {given.request!r} is not open; open are: {_ids(open_requests)}"
    if len(open_requests) == 1:
        return open_requests[0]
    return f"say which request is meant; open are: {_ids(open_requests)}"


def misfit(given: DecisionInput, choice: Choice, request: Request, user: str | None) -> str | None:
    """Why the decision does not fit, with what would; None when it fits."""
    if choice not in request.choices:
        return f"a request of kind {request.kind} takes {' or '.join(request.choices)}, not {choice}"
    if not given.by.strip():
        return "say who decides, in `by`"
    if request.kind == "approval" and choice == "approve" and user is not None and _same(given.by, user):
        return f"{user} started this run and cannot approve its actions: somebody else must"
    of_an_account = request.kind == "limit" and "account" in (request.arguments or {})
    if of_an_account and given.answer == "raise" and user is not None and _same(given.by, user):
        return f"{user} started this run and cannot raise its budget: somebody else must"
    if given.arguments is not None and choice != "approve":
        return "arguments can be changed only with approve"
    words = ANSWERS.get(request.kind)
    if choice == "answer" and words and given.answer not in words:
        return f"the answer must be one of: {', '.join(words)}"
    if choice == "answer" and not given.answer.strip():
        return "the answer is empty"
    if given.answer == "raise" and asks_for_limits(request):
        return _raise_misfit(given, request, user)
    return _parked_misfit(given, request) if request.kind == "parked" else None


def _parked_misfit(given: DecisionInput, request: Request) -> str | None:
    """Why a parked run cannot be moved on like this."""
    if given.answer != "redrive":
        return "discard takes no result: say why in `note`" if given.result is not None else None
    try:
        asked = Redrive.model_validate({} if given.result is None else given.result)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        example = '{"from_step": 3, "agent": "latest"}, or one of them'
        return f"the `result` of a redrive is an object such as {example}; {where}: {first['msg']}"
    return redriving.problem(asked, request.step)


def asks_for_limits(request: Request) -> bool:
    """Whether a request is about the run's own limits; others of its kind are about an account, or one plan."""
    return request.kind == "limit" and "limits" in (request.arguments or {})


def raised(now: LimitsSpec, spent: Spent, asked: NewLimits, *, by: str, user: str | None) -> LimitsSpec | str:
    """The limits as somebody wants them, or why they cannot be raised so, or not by them."""
    moneyed = [name for name in sorted(limits.MONEYED) if getattr(asked, name) is not None]
    if moneyed and user is not None and _same(by, user):
        return f"{user} started this run and cannot raise its {moneyed[0]}: somebody else must"
    return limits.raised(now, spent, asked)


def _raise_misfit(given: DecisionInput, request: Request, user: str | None) -> str | None:
    shown = request.arguments or {}
    now = LimitsSpec.model_validate(shown["limits"])
    asked = limits.asked_for(given.result, shown["reached"], now)
    if isinstance(asked, str):
        return asked
    found = raised(now, limits.from_json(shown["spent"]), asked, by=given.by, user=user)
    return found if isinstance(found, str) else None


def own_plan(by: str, planner: str) -> str | None:
    """Why somebody cannot approve a call that they planned themselves, in a model's place; None when they did not."""
    kind, _, person = planner.partition(" ")
    if kind != "human" or not _same(by, person):
        return None
    return f"{person} planned this call and cannot approve it: somebody else must"


def _same(person: str, other: str) -> bool:
    """Whether two names are the same but for case and spaces: nobody approves their own run by a typo."""
    return person.strip().casefold() == other.strip().casefold()


def _ids(requests: list[Request]) -> str:
    return ", ".join(request.id for request in requests) or "none"
