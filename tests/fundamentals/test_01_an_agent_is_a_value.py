"""An agent is a value: a name, instructions, tools, planners and bounds. It has no state, and runs nowhere yet."""

from __future__ import annotations

import pytest

from holdfast import Agent, DefinitionError, Model, tool


@tool(effect="read")
async def temperature(city: str) -> float:
    """The temperature of a city in °C."""
    return {"Oslo": -3.0, "Rome": 12.5}[city]


WEATHER = Agent(
    name="weather",
    instructions="Answer questions about the weather.",
    tools=[temperature],
    ladder=[Model("claude-sonnet-5")],
)


def test_the_digest_is_the_version() -> None:
    """Equal agents have one digest, and whatever changes about an agent changes it."""
    same = WEATHER.but()
    terser = WEATHER.but(instructions="Answer in one word.")
    assert same.digest == WEATHER.digest
    assert terser.digest != WEATHER.digest
    assert (terser.name, terser.tools) == (WEATHER.name, WEATHER.tools)


async def test_a_tool_is_still_its_function() -> None:
    """`@tool` adds promises and takes nothing away: a unit test calls the function as it is."""
    assert await temperature(city="Rome") == 12.5
    assert temperature.spec.description == "The temperature of a city in °C."
    assert temperature.spec.input_schema["properties"]["city"]["type"] == "string"


def test_what_cannot_be_kept_is_refused_when_it_is_defined() -> None:
    """A promise that would be unsafe in production does not get that far; the error holds the fix."""
    with pytest.raises(DefinitionError, match="is reversible but has no undo: give `undo=…`"):

        @tool(effect="reversible")
        async def stop(machine: str) -> str:
            """Stop a machine."""
            return machine
