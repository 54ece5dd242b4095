"""Tools: what an agent can do, with the promises that the engine relies on."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar, overload

import pydantic
from pydantic import BaseModel, TypeAdapter

from holdfast.context import ToolContext
from holdfast.contracts.base import JsonObject
from holdfast.contracts.spec import ApprovalSpec, Effect, RetrySpec, ToolSpec
from holdfast.errors import DefinitionError
from holdfast.promises import (
    Guard,
    Probe,
    Refresh,
    Undo,
    check_schema,
    first_sentence,
    in_words,
    seconds,
    tool_spec,
)
from holdfast.signatures import arguments_model, check_dry_run, check_refresh, hints_of

P = ParamSpec("P")
R = TypeVar("R")


def Retry(  # noqa: N802  # a value an author writes; the class behind it is a contract
    *,
    attempts: int = 5,
    initial: timedelta = timedelta(seconds=1),
    coefficient: float = 2.0,
    maximum: timedelta = timedelta(seconds=30),
) -> RetrySpec:
    """How often a call is tried: 5 times, after 1 s, 2 s, 4 s … but never more than 30 s.

    Raises DefinitionError.
    """
    if coefficient < 1:
        raise DefinitionError(
            f"Retry: coefficient={coefficient!r} must be 1 or more: waits do not get shorter."
        )
    try:
        return RetrySpec(
            attempts=attempts,
            initial_seconds=seconds("Retry: initial", initial),
            coefficient=coefficient,
            maximum_seconds=seconds("Retry: maximum", maximum),
        )
    except pydantic.ValidationError as error:
        raise DefinitionError(f"Retry: {in_words(error)}.") from None


@dataclass(frozen=True, eq=False)
class Tool(Generic[P, R]):
    """A tool: its spec (data) and the functions behind it (code, which stays in the worker).

    Made by `@tool`, `Tool.from_schema` or `remote_tool`. Calling it calls the function, as in a unit test.
    """

    spec: ToolSpec
    function: Callable[..., Any] | None = None
    undo: Undo | None = None
    probe: Probe | None = None
    dry_run: Callable[..., Any] | None = None
    guards: tuple[Guard, ...] = ()
    refresh: Refresh | None = None
    arguments: type[BaseModel] | None = field(default=None, repr=False)
    returns: TypeAdapter[Any] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Tool({self.spec.name!r})"

    @property
    def name(self) -> str:
        """The name by which the model calls it, and the type of its activity."""
        return self.spec.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, as a unit test does. Raises TypeError for a remote tool."""
        if self.function is None:
            msg = f"{self.name} is a remote tool: it runs on task queue {self.spec.task_queue!r}"
            raise TypeError(msg)
        return self.function(*args, **kwargs)  # type: ignore[no-any-return]  # R by construction

    @classmethod
    def from_schema(
        cls,
        name: str,
        call: Callable[[ToolContext, JsonObject], Any],
        *,
        description: str,
        input_schema: Mapping[str, Any],
        output_schema: Mapping[str, Any] | None = None,
        undo: Undo | None = None,
        probe: Probe | None = None,
        dry_run: Callable[[ToolContext, JsonObject], Any] | None = None,
        guards: Sequence[Guard] = (),
        refresh: Refresh | None = None,
        **promises: Any,
    ) -> Tool[..., Any]:
        """A tool from a name, a JSON Schema and a callable `call(ctx, arguments)`.

        The schema reaches the model as it is. `promises` are those of `@tool`: effect, idempotent, timeout
        and so on. Raises DefinitionError when the schema or a promise does not hold.
        """
        spec = tool_spec(
            name,
            description,
            dict(input_schema),
            promises,
            undo=undo,
            probe=probe,
            dry_run=dry_run,
            guards=guards,
        )
        if output_schema is not None:
            check_schema(name, dict(output_schema))
            spec = spec.model_copy(update={"output_schema": dict(output_schema)})
        check_refresh(name, refresh)
        return Tool(spec, call, undo, probe, dry_run, tuple(guards), refresh)


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "irreversible",
    idempotent: bool = False,
    timeout: timedelta = timedelta(seconds=30),
    heartbeat: timedelta | None = timedelta(seconds=10),
    retry: RetrySpec | None = None,
    approval: ApprovalSpec | None = None,
    waiver: str | None = None,
    undo: Undo | None = None,
    probe: Probe | None = None,
    dry_run: Callable[..., Any] | None = None,
    guards: Sequence[Guard] = (),
    refresh: Refresh | None = None,
    key: str | None = None,
    exclusive: bool = False,
    depends_on: str | Sequence[str] = (),
    polls: bool = False,
    max_result_chars: int = 16_000,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a typed function, sync or async; its docstring is what the model reads.

    A parameter of type `ToolContext` is filled in by the engine; the others are the call's arguments. What
    the function returns is validated against its return type.

    Args:
        name: What the model calls it; the function's name by default.
        description: What the model reads; the function's docstring by default.
        effect: `read`, `reversible` (needs `undo`) or `irreversible`. Undeclared is `irreversible`.
        idempotent: A second call with the same key does nothing more. Only such calls and reads are repeated.
        timeout: The longest one attempt may take [30 s].
        heartbeat: A worker silent this long is taken for dead; None waits for the timeout.
        retry, approval: How often a repeatable call is tried, and who must approve it; see `Retry`, `Approval`.
        waiver: Why a write that is not reversible needs nobody's approval, in your words.
        undo: `undo(ctx, past_call)` takes a call back.
        probe: `probe(ctx, past_call)` finds out whether a lost call happened.
        dry_run: Same parameters as the function; says what would happen, and changes nothing.
        guards: Vet each call of this tool, beside the agent's own guards.
        refresh: `refresh()` or `refresh(ctx)` renews the credentials; called once when they were refused
            (`Unauthorised`), and the call is then made once more.
        key: Template of the idempotency key, such as `refund/{order_id}`; by default run and call.
        exclusive: No other call of the same step runs beside it.
        depends_on: The services that a call needs, such as `"crm"`; each has a circuit breaker.
        polls: A read that is meant to be asked again: never answered from memory.
        max_result_chars: A longer result is cut to its head and tail.

    Raises:
        DefinitionError: The promises contradict each other; the message holds the fix.
    """
    if function is not None:
        return _from_function(function, options)
    return functools.partial(_from_function, options=options)


def remote_tool(
    name: str,
    *,
    task_queue: str,
    description: str,
    input_schema: Mapping[str, Any] | type[BaseModel],
    output_schema: Mapping[str, Any] | None = None,
    understands_dry_run: bool = False,
    queue_timeout: timedelta = timedelta(minutes=10),
    guards: Sequence[Guard] = (),
    **promises: Any,
) -> Tool[..., Any]:
    """A tool whose activity is served by another process, in any language, on `task_queue`.

    The activity's type is `name`; its one argument is a JSON object with the fields of
    `holdfast.contracts.calls.ToolInput`, and its result is any JSON value. Unless it
    `understands_dry_run`, simulated calls do not reach it. A call waits `queue_timeout` at most for a worker.
    Its guards run here. Raises DefinitionError.
    """
    if isinstance(input_schema, type):
        input_schema = input_schema.model_json_schema()
    if not task_queue.strip():
        raise DefinitionError(f"Tool {name!r}: say the task_queue that its workers serve.")
    if promises.get("refresh"):
        raise DefinitionError(f"Tool {name!r}: leave out refresh; its own worker renews its credentials.")
    if promises.get("depends_on"):
        raise DefinitionError(f"Tool {name!r}: leave out depends_on; its own worker can hold its calls.")
    spec = tool_spec(name, description, dict(input_schema), promises, guards=guards)
    if output_schema is not None:
        check_schema(name, dict(output_schema))
    spec = spec.model_copy(
        update={
            "task_queue": task_queue,
            "queue_seconds": seconds(f"Tool {name!r}: queue_timeout", queue_timeout),
            "has_dry_run": understands_dry_run,
            "output_schema": dict(output_schema) if output_schema is not None else None,
        }
    )
    return Tool(spec, guards=tuple(guards))


def _from_function(function: Callable[..., Any], options: dict[str, Any]) -> Tool[..., Any]:
    options = dict(options)  # one decorator may stand above many functions
    if isinstance(function, Tool | type) or not callable(function):
        raise DefinitionError(f"@tool stands above a function, and {function!r} is none.")
    name = options.pop("name", None) or getattr(function, "__name__", None)
    if name is None:
        raise DefinitionError(f"The tool made of {function!r} has no name: give @tool(name='…').")
    description = options.pop("description", None) or inspect.getdoc(function) or ""
    if not description:
        raise DefinitionError(f"Tool {name!r} has no docstring: the model reads it to know what it does.")
    hints = hints_of(name, function)
    arguments, schema = arguments_model(name, function, hints)
    try:
        returns = TypeAdapter(hints["return"]) if "return" in hints else None
    except pydantic.errors.PydanticUserError as error:
        raise DefinitionError(
            f"Tool {name!r}: its return type has no JSON form. {first_sentence(error)}"
        ) from None
    undo, probe, dry_run = options.pop("undo", None), options.pop("probe", None), options.pop("dry_run", None)
    guards, refresh = options.pop("guards", ()), options.pop("refresh", None)
    spec = tool_spec(
        name,
        description,
        schema,
        options,
        undo=undo,
        probe=probe,
        dry_run=dry_run,
        guards=guards,
    )
    if dry_run is not None:
        check_dry_run(name, arguments, dry_run)
    check_refresh(name, refresh)
    return Tool(spec, function, undo, probe, dry_run, tuple(guards), refresh, arguments, returns)
