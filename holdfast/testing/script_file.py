"""Scripts as JSON, for a scripted model that runs as a process of its own.

    [
      {"call": {"tool": "list_instances", "arguments": {"region": "eu-west-1"}}},
      {"fault": {"status": 529}},
      {"cut": {"after_events": 5, "answer": {"say": "Hello"}}},
      {"finish": {"status": "completed", "result": {"stopped": []}}}
    ]

Each step is one object whose only key is the name of what `holdfast.testing` calls it, with its arguments; a string
stands for the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from holdfast.testing import answers
from holdfast.testing.answers import Answer, Step

_BUILDERS: Mapping[str, Callable[..., Step]] = {
    "say": answers.say,
    "call": lambda tool, arguments=None, **more: answers.call(tool, arguments, **more),
    "calls": lambda calls, text=None: answers.calls(*(tuple(item) for item in calls), text=text),
    "finish": answers.finish,
    "answer": answers.answer,
    "raw_tool_call": answers.raw_tool_call,
    "truncated_tool_call": answers.truncated_tool_call,
    "fault": answers.fault,
    "malformed": lambda body="{", **more: answers.malformed(body.encode(), **more),
    "cut": answers.cut,
    "hang": answers.hang,
    "stream_error": answers.stream_error,
    "no_message_stop": answers.no_message_stop,
    "slow": answers.slow,
}


def steps_from_json(data: Any) -> list[Step]:
    """The steps of a script that was read from JSON. Raises ValueError naming the step that its writer must correct."""
    if not isinstance(data, list):
        raise ValueError('A script is a list of steps, such as [{"say": "Hello"}].')  # noqa: TRY004 - a bad file
    return [_step(item, f"step {at + 1}") for at, item in enumerate(data)]


def _step(item: Any, place: str) -> Step:
    if not isinstance(item, dict) or len(item) != 1 or next(iter(item)) not in _BUILDERS:
        raise ValueError(f"{place} is {item!r}; it must be an object with one key of {', '.join(_BUILDERS)}.")
    ((name, given),) = item.items()
    arguments = dict(given) if isinstance(given, dict) else {}
    inner = "step" if name == "slow" else "answer"
    if name in ("cut", "hang", "stream_error", "no_message_stop", "slow") and inner in arguments:
        arguments[inner] = _step(arguments[inner], f"the {inner} of {place}")
        if name != "slow" and not isinstance(arguments[inner], Answer):
            raise ValueError(f"the answer of {place} is a fault; {name} takes what the model says.")
    try:
        return _BUILDERS[name](**arguments) if isinstance(given, dict) else _BUILDERS[name](given)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{place} does not fit {name}: {error}") from None
