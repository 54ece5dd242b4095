"""What the functions behind a tool take and return, read from their annotations."""

from __future__ import annotations

import inspect
import typing
import warnings
from collections.abc import Callable
from typing import Any

import pydantic
from pydantic import BaseModel, ConfigDict

from holdfast.context import ToolContext
from holdfast.contracts.base import JsonObject
from holdfast.errors import DefinitionError
from holdfast.promises import closed, first_sentence


def context_parameter(function: Callable[..., Any]) -> str | None:
    """The name of the function's `ToolContext` parameter, if it has one."""
    hints = typing.get_type_hints(function)
    return next((name for name, hint in hints.items() if hint is ToolContext and name != "return"), None)


def hints_of(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """The function's annotations, with at most one `ToolContext` among them."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise DefinitionError(
            f"Tool {name!r}: {error}. Its annotations are read while the program runs, so import their types "
            "outside of `if TYPE_CHECKING:`, and define them at the top of a module."
        ) from None
    except TypeError:
        raise DefinitionError(
            f"Tool {name!r}: {function!r} is no plain function; write one around it."
        ) from None
    contexts = [parameter for parameter, hint in hints.items() if _mentions_context(hint)]
    if len(contexts) > 1 or any(hints[parameter] is not ToolContext for parameter in contexts):
        raise DefinitionError(
            f"Tool {name!r}: {' and '.join(contexts)} must be one parameter, annotated as ToolContext alone, "
            "or the model would have to fill it in."
        )
    return hints


def _mentions_context(hint: Any) -> bool:
    return hint is ToolContext or any(map(_mentions_context, typing.get_args(hint)))


def arguments_model(
    name: str, function: Callable[..., Any], hints: dict[str, Any]
) -> tuple[type[BaseModel], JsonObject]:
    """A pydantic model of the function's arguments, and its schema; unknown arguments are refused."""
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if hints.get(parameter.name) is ToolContext:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise DefinitionError(
                f"Tool {name!r}: parameter {str(parameter).split(':')[0]} must be a plain named one."
            )
        if parameter.name.startswith("_"):
            raise DefinitionError(f"Tool {name!r}: parameter {parameter.name!r} must not begin with '_'.")
        if parameter.name not in hints:
            raise DefinitionError(f"Tool {name!r}: parameter {parameter.name!r} needs a type annotation.")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    try:
        with (
            warnings.catch_warnings()
        ):  # an argument may be called `schema` or `copy`, as a model's method is
            warnings.simplefilter("ignore", UserWarning)
            model = pydantic.create_model(
                f"{name}_arguments", __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields
            )
            schema = closed(model.model_json_schema())
    except (pydantic.errors.PydanticUserError, NameError, TypeError, ValueError) as error:
        raise DefinitionError(
            f"Tool {name!r}: its parameters have no JSON form. {first_sentence(error)}"
        ) from None
    return model, schema


def check_dry_run(name: str, arguments: type[BaseModel], dry_run: Callable[..., Any]) -> None:
    """A dry run that cannot be called with the tool's arguments would fail when it is needed."""
    given: dict[str, Any] = dict.fromkeys(arguments.model_fields)
    if context := context_parameter(dry_run):
        given[context] = None
    try:
        inspect.signature(dry_run).bind(**given)
    except TypeError as error:
        raise DefinitionError(f"Tool {name!r}: its dry_run must have the same parameters: {error}.") from None


def check_refresh(name: str, refresh: Any) -> None:
    """Refuse a refresh that could not be called when it is needed. Raises DefinitionError."""
    if refresh is None:
        return
    if not callable(refresh) or isinstance(refresh, type):
        raise DefinitionError(f"Tool {name!r}: refresh must be a function, and {refresh!r} is none.")
    try:
        context = context_parameter(refresh)
        inspect.signature(refresh).bind(**({context: None} if context else {}))
    except (NameError, TypeError, ValueError) as error:
        raise DefinitionError(
            f"Tool {name!r}: its refresh is called without arguments, or with one annotated as ToolContext: {error}."
        ) from None
