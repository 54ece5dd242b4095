"""From `package.module` on a command line to the agents in it."""

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from holdfast.agent import Agent
from holdfast.errors import UsageError

ENGINE_PACKAGES = ("workflows", "activities", "policies", "workers")


def load_agents(modules: Iterable[str]) -> list[Agent[Any]]:
    """The agents that are module-level values of the given modules, each once.

    The current folder is importable, as with `python -m`. Raises UsageError: a module is not there, cannot
    be imported, or defines no agent.
    """
    check_not_shadowed()
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    found: dict[int, Agent[Any]] = {}
    for name in modules:
        module = _import(name)
        agents = [value for value in vars(module).values() if isinstance(value, Agent)]
        if not agents:
            raise UsageError(
                f"Module {name} defines no agent: a worker serves the `Agent(…)` values at a module's top level."
            )
        found |= {id(agent): agent for agent in agents}
    return list(found.values())


def _import(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise UsageError(
                f"There is no module {name!r} in {Path.cwd()} or among the installed packages. "
                "Name it as Python imports it, such as `examples.cloud_costs.agent`."
            ) from None
        raise UsageError(f"Module {name} needs {error.name!r}, which is not installed.") from error
    except Exception as error:
        raise UsageError(f"Module {name} cannot be imported. {type(error).__name__}: {error}") from error


def check_not_shadowed() -> None:
    """The engine owns four top-level names. Raises UsageError when another distribution has taken one."""
    home = Path(__file__).resolve().parent.parent
    for name in ENGINE_PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            raise UsageError(
                f"The package `{name}` at {origin} hides Holdfast's own. Another distribution (llama-index-workflows "
                "is one) uses the name: run the worker in an environment without it, and reach its code by "
                "remote_tool(…)."
            )
