"""The agents that this worker serves: their specs for runs that start, their code for runs under way."""

from collections.abc import Iterable
from typing import Any

from holdfast.agent import Agent, Planner
from holdfast.contracts.spec import AgentSpec
from holdfast.errors import AgentNotServed, DefinitionError
from holdfast.promises import Guard, guard_name
from holdfast.tools import Tool

LEARNED_AT_MOST = 200
"""Each change of an agent is a version of its own, and a worker lives long; a forgotten one is asked for again."""


class AgentRegistry:
    """Agents by name, and specs by digest.

    A run lives by the spec that it recorded, which may be an older one than this worker's; the code behind
    it (tools, guards, rule planners) is always this worker's, found by name.
    """

    def __init__(self, agents: Iterable[Agent[Any]]) -> None:
        self._agents: dict[str, Agent[Any]] = {}
        self._specs: dict[str, AgentSpec] = {}
        self._learned: dict[str, AgentSpec] = {}
        for agent in agents:
            if agent.name in self._agents and self._agents[agent.name] is not agent:
                raise DefinitionError(f"Two agents are named {agent.name!r}; a worker serves one of a name.")
            self._agents[agent.name] = agent
            self._specs[agent.digest] = agent.spec

    @property
    def names(self) -> list[str]:
        """The names of the agents."""
        return sorted(self._agents)

    def agent(self, name: str) -> Agent[Any]:
        """The agent of that name. Raises AgentNotServed."""
        if name not in self._agents:
            raise AgentNotServed(
                f"There is no agent {name!r} here: this worker serves {', '.join(self.names) or 'none'}. "
                "Start it by one of these names, or start a worker that serves it."
            )
        return self._agents[name]

    def version(self, name: str, digest: str) -> Agent[Any] | None:
        """The agent of that name, if this worker has just this version of it."""
        found = self._agents.get(name)
        return found if found is not None and found.digest == digest else None

    def spec(self, digest: str) -> AgentSpec | None:
        """The spec of that digest, if it is known here."""
        return self._specs.get(digest) or self._learned.get(digest)

    def learn(self, spec: AgentSpec) -> None:
        """Keep the spec of a run under way; of many, those that were learned last."""
        self._learned[spec.digest] = spec
        while len(self._learned) > LEARNED_AT_MOST:
            del self._learned[next(iter(self._learned))]

    def tool(self, agent: str, name: str) -> Tool[..., Any] | None:
        """The code of an agent's tool, if this worker has it."""
        found = self._agents.get(agent)
        return found.tool(name) if found else None

    def planner(self, agent: str, name: str) -> Planner | None:
        """The code of an agent's rule planner, if this worker has it."""
        found = self._agents.get(agent)
        return found.planner(name) if found else None

    def guards(self, agent: str, tool: str, *, writes: bool) -> dict[str, Guard]:
        """The guards of a call: those of its tool, and for a write those of the agent."""
        found = self.agent(agent)
        own = found.tool(tool)
        guards = (*(own.guards if own else ()), *(found.guards if writes else ()))
        return {guard_name(guard): guard for guard in guards}
