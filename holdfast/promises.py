"""The promises of a tool: what they are made of, and whether they can be kept."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from string import Formatter
from typing import Any

import jsonschema_rs
import pydantic

from holdfast.context import PastCall, ProposedCall, ToolContext
from holdfast.contracts import names
from holdfast.contracts.base import JsonObject
from holdfast.contracts.calls import Probed, Verdict
from holdfast.contracts.spec import AllOf, AnyOf, Compare, Condition, RetrySpec, ToolSpec
from holdfast.errors import DefinitionError

Undo = Callable[[ToolContext, PastCall], Any]
"""Takes back one call. It must be idempotent: it is retried, and may be asked for twice."""

Probe = Callable[[ToolContext, PastCall], Probed | Awaitable[Probed]]
"""Finds out whether a call happened whose answer was lost."""

Refresh = Callable[[], Any] | Callable[[ToolContext], Any]
"""Renews the credentials that a tool's calls use. Calls of one worker that need it at once share one refresh."""

Guard = Callable[[ProposedCall], Verdict | Awaitable[Verdict]]
"""Vets a call before it is made. Any Python: it runs in an activity, and may do I/O."""

DEPENDENCY = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")

TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def in_words(error: pydantic.ValidationError) -> str:
    """What is wrong, as an author reads it: `steps: Input should be greater than 0`."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {_said(e['msg'])}" for e in found)


def _said(message: str) -> str:
    """What a check of ours said, without the word of pydantic's in front of it."""
    return message.removeprefix("Value error, ")


def first_sentence(error: Exception) -> str:
    """What an error says first; what pydantic says further is for its own users."""
    return str(error).splitlines()[0].split(". ")[0]


def seconds(what: str, duration: Any) -> float:
    """The duration in seconds. Raises DefinitionError when it is none, or not longer than nothing."""
    if not isinstance(duration, timedelta) or duration <= timedelta(0):
        raise DefinitionError(
            f"{what} must be a timedelta above zero, such as timedelta(seconds=30), not {duration!r}."
        )
    return duration.total_seconds()


def listed(what: str, items: Any) -> tuple[Any, ...]:
    """The items as a tuple. Raises DefinitionError when they are no list."""
    if not isinstance(items, Sequence) or isinstance(items, str | bytes):
        raise DefinitionError(f"{what} must be a list, such as [{_name(items)}], not {items!r}.")
    return tuple(items)


def _name(item: Any) -> str:
    return getattr(item, "__name__", None) or getattr(item, "name", None) or "…"


def functions(what: str, items: Any) -> tuple[Any, ...]:
    """The functions as a tuple. Raises DefinitionError when one is no function."""
    found = listed(what, items)
    for one in found:
        if not callable(one) or isinstance(one, type):
            raise DefinitionError(f"{what} must be functions, and {one!r} is none.")
    return found


def dependencies(name: str, given: Any) -> tuple[str, ...]:
    """The services that a tool depends on. Raises DefinitionError when they are no names."""
    found = (given,) if isinstance(given, str) else listed(f"Tool {name!r}: depends_on", given)
    for one in found:
        if not isinstance(one, str) or not DEPENDENCY.fullmatch(one):
            raise DefinitionError(
                f"Tool {name!r}: depends_on names services, such as 'crm', each 1 to 100 letters, digits or any of "
                f"_ . : / -, and {one!r} is no such name."
            )
    return tuple(dict.fromkeys(found))


MAX_RESULT_CHARS = 300_000
"""Six bytes each at worst, which is below the server's 2 MB for one result."""


def guard_name(guard: Guard) -> str:
    """The name by which a spec knows a guard."""
    return getattr(guard, "__name__", type(guard).__name__)


def tool_spec(
    name: str,
    description: str,
    input_schema: JsonObject,
    promises: dict[str, Any],
    *,
    undo: Undo | None = None,
    probe: Probe | None = None,
    dry_run: Callable[..., Any] | None = None,
    guards: Sequence[Guard] = (),
) -> ToolSpec:
    """The spec of a tool, after checking that its promises can be kept. Raises DefinitionError."""
    promises = dict(promises)
    retry = promises.pop("retry", None)
    timeout = promises.pop("timeout", timedelta(seconds=30))
    heartbeat = promises.pop("heartbeat", timedelta(seconds=10))
    depends_on = dependencies(name, promises.pop("depends_on", ()))
    functions(
        f"Tool {name!r}: undo, probe and dry_run", [one for one in (undo, probe, dry_run) if one is not None]
    )
    guards = functions(f"Tool {name!r}: guards", guards)
    unknown = set(promises) - {
        "effect", "idempotent", "approval", "waiver", "key", "exclusive", "polls", "max_result_chars",
    }  # fmt: skip
    if unknown:
        raise DefinitionError(f"Tool {name!r}: unknown option {', '.join(sorted(unknown))}.")
    try:
        spec = ToolSpec(
            name=name,
            description=description,
            input_schema=input_schema,
            timeout_seconds=seconds(f"Tool {name!r}: timeout", timeout),
            heartbeat_seconds=None if heartbeat is None else seconds(f"Tool {name!r}: heartbeat", heartbeat),
            retry=retry or RetrySpec(),
            guards=tuple(guard_name(guard) for guard in guards),
            has_undo=undo is not None,
            has_probe=probe is not None,
            has_dry_run=dry_run is not None,
            depends_on=depends_on,
            **promises,
        )
    except pydantic.ValidationError as error:
        raise DefinitionError(f"Tool {name!r}: {in_words(error)}.") from None
    if spec.max_result_chars > MAX_RESULT_CHARS:
        raise DefinitionError(
            f"Tool {name!r}: max_result_chars can be {MAX_RESULT_CHARS:,} at most, since a larger result could not "
            "be stored after its effect. Return a reference, or a part of it."
        )
    _check_name(name)
    check_schema(name, input_schema)
    if input_schema.get("type", "object") != "object":
        raise DefinitionError(f"Tool {name!r}: its schema must describe an object, since calls have names.")
    _check_promises(spec, retry)
    return spec


def _check_name(name: str) -> None:
    if not TOOL_NAME.fullmatch(name):
        raise DefinitionError(
            f"Tool name {name!r} must be 1 to 64 letters, digits, underscores, dots or hyphens."
        )
    if name in names.ENGINE_ACTIVITIES or name.replace(".", "_") in names.BUILT_IN_CALLS:
        raise DefinitionError(f"Tool name {name!r} belongs to the engine; choose another.")


def check_schema(name: str, schema: JsonObject) -> None:
    """Refuse a schema that nothing could be checked against. Raises DefinitionError."""

    def refuse(uri: str) -> Any:
        raise ValueError(f"{uri} is remote")

    try:
        jsonschema_rs.validator_for(schema, retriever=refuse)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise DefinitionError(f"Tool {name!r}: its JSON Schema does not compile: {first}") from None


def closed(schema: JsonObject) -> JsonObject:
    """The schema, refusing unknown fields within arguments too, except where a type itself takes them.

    pydantic drops what a nested model does not know: what was approved would not be what is executed.
    """
    for definition in schema.get("$defs", {}).values():
        if "properties" in definition:
            definition.setdefault("additionalProperties", False)
    return schema


def _check_promises(spec: ToolSpec, retry: RetrySpec | None) -> None:
    name = spec.name
    if spec.effect == "reversible" and not spec.has_undo:
        raise DefinitionError(
            f"Tool {name!r} is reversible but has no undo: give `undo=…`, or say effect='irreversible'."
        )
    if spec.effect != "reversible" and spec.has_undo:
        raise DefinitionError(f"Tool {name!r} has an undo: say effect='reversible'.")
    if spec.polls and spec.writes:
        raise DefinitionError(
            f"Tool {name!r} polls, so it is asked again and again: only a read may be. Say effect='read', or "
            "leave polls out."
        )
    if retry is not None and retry.attempts > 1 and not spec.repeatable:
        raise DefinitionError(
            f"Tool {name!r} retries a write that is not idempotent, which may happen twice: make it honour "
            "ctx.idempotency_key and say idempotent=True, or leave retry out and give a `probe`."
        )
    used = _arguments_of_key(name, spec.key)
    properties = spec.input_schema.get("properties")
    if not isinstance(properties, dict):
        return
    used |= arguments_of(spec.approval.when) if spec.approval and spec.approval.when is not None else set()
    if missing := used - set(properties):
        raise DefinitionError(
            f"Tool {name!r}: its key or approval condition uses {', '.join(sorted(missing))}, "
            f"but its arguments are {', '.join(sorted(properties)) or 'none'}."
        )


def _arguments_of_key(name: str, key: str | None) -> set[str]:
    """The names of the arguments that a key is made of."""
    if key is None:
        return set()
    how = f"Tool {name!r}: key {key!r} must be text with names of arguments in it, such as 'refund/{{order_id}}'"
    try:
        parts = list(Formatter().parse(key))
    except ValueError as error:
        raise DefinitionError(f"{how}; {error}.") from None
    if not key.strip() or any(field == "" or form or conversion for _, field, form, conversion in parts):
        raise DefinitionError(f"{how}, and with nothing else between the braces.")
    return {field for _, field, _, _ in parts if field is not None}


def arguments_of(condition: Condition) -> set[str]:
    """The names of the arguments that a condition looks at."""
    match condition:
        case Compare():
            return {condition.argument}
        case AllOf() | AnyOf():
            return set().union(*(arguments_of(part) for part in condition.conditions))
