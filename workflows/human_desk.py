"""The desk: where a run asks people, and hears their decisions.

Signal and update handlers only put a decision in the tray; the desk's own loop takes them out one by one, in
the order they came. Waiting is a condition inside the workflow: no worker slot, no polling, and one timer only
where something is due of the request: a reminder, its escalation, or its deadline.
"""

import asyncio
from typing import Any, Literal

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from holdfast.contracts.base import JsonObject
from holdfast.contracts.digests import canonical, digest
from holdfast.contracts.requests import Choice, Decision, DecisionInput, Request, RequestKind
from holdfast.contracts.spec import ToolSpec
from policies import decisions, reminding, takeover, validation
from policies.json_safety import brief, faults
from policies.reminding import Patience
from workflows.alerting import tell_of_request
from workflows.any_payloads import NOTHING
from workflows.run_state import RunState

MAX_DECISION_BYTES = 256 * 1024
"""A decision is kept, shown and told to the model: it holds a word, a reason or a result, not a file."""

FOR_EVER = Patience()


class HumanDesk:
    """The open requests of a run and the decisions about them."""

    def __init__(self) -> None:
        self._tray: list[tuple[str, Choice, DecisionInput | str]] = []
        self._decided: dict[str, Decision] = {}
        self._state: RunState | None = None

    @property
    def idle(self) -> bool:
        """Whether everything that came in has been dealt with."""
        return not self._tray

    def by_signal(self, choice: Choice, raw: RawValue) -> None:
        """Put a signal in the tray, whatever it holds: what cannot be read is recorded, not dropped."""
        self._tray.append(("signal", choice, _read(raw)))

    async def by_update(self, raw: RawValue) -> Decision:
        """Put an update in the tray and wait until it counts."""
        given, request, choice = self._fitting(raw)
        self._tray.append(("update", choice, given.model_copy(update={"request": request.id})))
        await workflow.wait_condition(lambda: request.id in self._decided)
        decision = self._decided[request.id]
        if (decision.by, decision.choice, decision.via) != (given.by, choice, "update"):
            raise ApplicationError(f"{decision.by} decided first: {decision.choice}", type="DecisionRefused")
        return decision

    def validate(self, raw: RawValue) -> None:
        """Refuse an update that does not fit. Raises ApplicationError of type DecisionRefused."""
        self._fitting(raw)

    def _fitting(self, raw: RawValue) -> tuple[DecisionInput, Request, Choice]:
        """The decision in an update, and what it is about. Raises ApplicationError of type DecisionRefused."""
        try:
            given = _read(raw)
            if isinstance(given, str):
                raise ValueError(given)  # noqa: TRY004, TRY301  # not a wrong type: what is wrong with it, in words
            return (given, *self._check(given, given.choice))
        except ValueError as error:
            raise ApplicationError(
                brief(str(error), 2000), type="DecisionRefused", non_retryable=True
            ) from None

    def begin(self, state: RunState) -> None:
        """The run has a state: from now on people can be asked."""
        self._state = state

    async def serve(self) -> None:
        """Take decisions out of the tray, for as long as the run lives."""
        while True:
            await workflow.wait_condition(lambda: bool(self._tray))
            via, choice, given = self._tray.pop(0)
            try:
                if isinstance(given, str):
                    raise ValueError(given)  # noqa: TRY301, TRY004  # not readable: recorded as all misfits are
                request, choice = self._check(given, choice)
            except ValueError as error:
                self._ignore(choice, str(error))
                continue
            self._record(request, choice, given, via)

    async def ask(
        self,
        kind: RequestKind,
        why: str,
        by: str,
        *,
        call: str | None = None,
        tool: str | None = None,
        arguments: JsonObject | None = None,
        bound_to: JsonObject | None = None,
        reversible: bool = False,
        dry_run: bool = False,
        patience: Patience = FOR_EVER,
    ) -> Decision:
        """Open a request and wait for its decision, for as long as `patience` says; at its deadline it is denied.

        Its id is bound to its arguments; where these hold times, which may differ on replay, to `bound_to` instead.
        """
        state = self._open_state()
        shown = digest([kind, tool, bound_to or arguments, state.digest])[:8]
        asked = call or str(len(state.steps))
        number = 1 + sum(1 for decision in state.decisions if decision.request.startswith(f"{asked}-{kind}"))
        name = f"{asked}-{kind}-{shown}" + (f"-{number}" if number > 1 else "")
        request = Request(
            id=name,
            kind=kind,
            run=state.run,
            agent=state.spec.name,
            digest=state.digest,
            step=len(state.steps),
            why=why,
            by=by,
            call=call,
            tool=tool,
            arguments=arguments,
            reversible=reversible,
            dry_run=dry_run,
            opened_at=state.now(),
        )
        request = state.requests[name] = reminding.timed(request, patience, workflow.now())
        state.event("request", f"{kind} by {by}: {why}", request.model_dump(mode="json"))
        state.show()
        told: list[asyncio.Task[None]] = []
        try:
            while name not in self._decided:
                if (step := await self._due(name)) is not None:
                    told += self._step(name, step)
        finally:
            for task in told:
                task.cancel()  # mostly they are out by now; otherwise whoever decided knows
        return self._decided[name]

    async def _due(self, name: str) -> reminding.Step | None:
        """Wait until a request is decided, or something of it is due: what that is."""
        due = reminding.next_due(self._open_state().requests[name])
        try:
            await workflow.wait_condition(
                lambda: name in self._decided,
                timeout=max(0.0, (due.at - workflow.now()).total_seconds()) if due else None,
                timeout_summary=f"{due.summary} of {name}" if due else None,
            )
        except TimeoutError:
            if due is not None and name not in self._decided:  # a decision may have come in the same moment
                return due.step
        return None

    def _step(self, name: str, step: reminding.Step) -> list[asyncio.Task[None]]:
        """Do what is due of an open request; returns what goes on beside the wait."""
        state = self._open_state()
        if step == "expire":
            self._record(state.requests[name], "expire", DecisionInput(by="nobody"), "deadline")
            return []
        request = state.requests[name] = reminding.after(state.requests[name], step, state.now())
        state.event("notice", reminding.in_words(request, step), request.model_dump(mode="json"))
        state.show()
        return [asyncio.create_task(tell_of_request(request, step))]

    def close(
        self,
        request: str,
        *,
        by: str,
        answer: str,
        note: str,
        via: Literal["account", "signal", "update"] = "account",
    ) -> None:
        """Close a request that needs nobody any more; it is recorded as decided by what made it so."""
        if request not in self._decided:
            self._record(
                self._open_state().requests[request],
                "answer",
                DecisionInput(by=by, answer=answer, note=note),
                via,
            )

    def _open_state(self) -> RunState:
        if self._state is None:
            raise ValueError("the run is only just starting: try again in a moment")
        return self._state

    def _check(self, given: DecisionInput, choice: Choice | None) -> tuple[Request, Choice]:
        """The request and choice that a decision is about. Raises ValueError with why it does not fit."""
        state = self._open_state()
        if choice is None:
            raise ValueError("say the choice: approve, reject or answer")
        if (why := unusable(given)) is not None:
            raise ValueError(why)
        request = decisions.pick(given, list(state.requests.values()))
        if isinstance(request, str):
            raise ValueError(request)  # noqa: TRY004  # not a wrong type: the reason why there is none
        why = misfit(state, given, choice, request)
        if why is not None:
            raise ValueError(why)
        return request, choice

    def _record(self, request: Request, choice: Any, given: DecisionInput, via: Any) -> None:
        state = self._open_state()
        del state.requests[request.id]
        decision = Decision(
            request=request.id,
            choice=choice,
            by=given.by,
            note=given.note,
            reason=given.reason,
            arguments=given.arguments,
            answer=given.answer,
            result=given.result,
            via=via,
            at=state.now(),
        )
        self._decided[request.id] = decision
        state.decisions.append(decision)
        state.event("decision", f"{request.id}: {choice} by {given.by}", decision.model_dump(mode="json"))
        state.show()

    def _ignore(self, signal: str, why: str) -> None:
        self._open_state().ignore(signal, why)


def misfit(state: RunState, given: DecisionInput, choice: Choice, request: Request) -> str | None:
    """Why a decision that can be kept does not fit a request of this run, with what would; None when it fits."""
    why = decisions.misfit(given, choice, request, state.given.user)
    tool = state.spec.tool(request.tool) if request.tool else None
    if why is None and given.arguments is not None and tool is not None:
        why = _edit_problem(tool, given.arguments, state.spec.max_argument_bytes)
    if why is None and request.kind == "takeover":
        last_turn = bool((request.arguments or {}).get("last_turn"))
        why = takeover.problem(state.spec, given, last_turn=last_turn)
    if why is None and request.kind == "approval" and choice == "approve":
        planner = next((one.planner for one in state.steps if one.number == request.step), "")
        why = decisions.own_plan(given.by, planner)
    return why


def unusable(given: DecisionInput) -> str | None:
    """Why a decision cannot be kept, whatever it is about; None when it can."""
    if found := faults(given.model_dump(mode="json")):
        return found[0]
    if (size := len(given.model_dump_json().encode())) > MAX_DECISION_BYTES:
        return f"it is {size:,} bytes, and {MAX_DECISION_BYTES:,} is the limit"
    return None


def _edit_problem(tool: ToolSpec, arguments: JsonObject, max_bytes: int) -> str | None:
    """Why arguments that a human changed cannot be used: the same rules as for the model's."""
    if (size := len(canonical(arguments))) > max_bytes:
        return f"the arguments are {size:,} bytes, and {max_bytes:,} is the limit"
    return validation.argument_problems(tool, arguments) or None


def _read(raw: RawValue) -> DecisionInput | str:
    """The decision in a signal, or why it cannot be read."""
    example = '{"request": "…", "by": "your-name"}'
    try:
        if raw is NOTHING:
            return f"it holds nothing; send {example}"
        value = workflow.payload_converter().from_payload(raw.payload, Any)
        if not isinstance(value, dict):
            return f"it must be an object; send {example}"
        return DecisionInput.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = brief(".".join(str(part) for part in first["loc"]) or "it", 100)
        return f"{where}: {first['msg']}; send {example}"
    except Exception as error:  # noqa: BLE001  # a payload can be anything
        return f"it cannot be read ({type(error).__name__}); send {example}"
