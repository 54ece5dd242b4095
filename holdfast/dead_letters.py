"""The dead-letter queue: the parked runs, by what stopped them, and moving them on, many at once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict
from temporalio.service import RPCError

from holdfast.contracts import names
from holdfast.contracts.parked import ParkedNote, Rehearsal
from holdfast.errors import ConnectionFailed, HoldfastError, NoWorkerAnswers

if TYPE_CHECKING:
    from holdfast.client import RunSummary
    from holdfast.run import Run

AT_ONCE = 10
"""Runs that are looked at, or moved on, at the same time: a service that is back is not overrun."""


class ParkedGroup(BaseModel):
    """The parked runs that one cause has stopped."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    runs: list[str]
    """Newest first."""
    agents: list[str]
    example: ParkedNote | None
    """What stopped the newest of them; None when no worker answers for it."""


@dataclass(frozen=True)
class Moved:
    """What became of one run that was to be redriven or discarded."""

    run: str
    problem: str | None = None
    """Why it was not; None: it was."""
    nobody_answers: bool = False
    """The reason is that no worker is up that could take the decision."""


class DeadLetters(ABC):
    """The part of `Client` that is about parked runs."""

    async def parked(
        self, *, agent: str | None = None, fingerprint: str | None = None, limit: int = 1000
    ) -> list[RunSummary]:
        """The dead-letter queue: runs that only a human can move on, newest first; no worker needs to be up.

        The server's index lags by about a second. `redrive` and `discard` move them on.
        """
        wanted = {names.SA_AGENT: agent, names.SA_FINGERPRINT: fingerprint, names.SA_STATUS: "parked"}
        return await self._open_runs(wanted, limit)

    async def parked_groups(self, *, agent: str | None = None, limit: int = 1000) -> list[ParkedGroup]:
        """The parked runs by what stopped them, the largest group first."""
        groups: dict[str, list[RunSummary]] = {}
        for one in await self.parked(agent=agent, limit=limit):
            groups.setdefault(one.fingerprint or "", []).append(one)
        ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
        examples = await each([runs[0].run for _, runs in ordered], self._note)
        return [
            ParkedGroup(
                fingerprint=fingerprint,
                runs=[one.run for one in runs],
                agents=sorted({one.agent for one in runs if one.agent}),
                example=example,
            )
            for (fingerprint, runs), example in zip(ordered, examples, strict=True)
        ]

    async def rehearse(self, runs: Iterable[str], *, from_step: int | None = None) -> list[Rehearsal]:
        """What redriving these runs would do, without doing it: which writes their models may ask for again.

        Redriven from where it stopped a run repeats none. One that cannot be redriven says why.
        """

        async def one(run: str) -> Rehearsal:
            try:
                return await self.run(run).rehearse(from_step=from_step)
            except (HoldfastError, RPCError) as error:
                return Rehearsal(run=run, problem=str(error))

        return await each(runs, one)

    async def redrive(
        self,
        runs: Iterable[str],
        *,
        by: str,
        note: str = "",
        from_step: int | None = None,
        agent: Literal["latest"] | None = None,
        progress: Callable[[Moved], None] | None = None,
    ) -> list[Moved]:
        """Let parked runs go on, ten at a time; arguments as for `Run.redrive`.

        One that cannot go on keeps none of the others from it: what became of each is returned, and told to `progress`
        as soon as it is known.
        """

        async def one(run: Run[Any]) -> None:
            await run.redrive(by=by, note=note, from_step=from_step, agent=agent)

        return await self._move(runs, one, progress)

    async def discard(
        self,
        runs: Iterable[str],
        *,
        by: str,
        reason: str,
        progress: Callable[[Moved], None] | None = None,
    ) -> list[Moved]:
        """End parked runs as failed, ten at a time; what they did stays done. Otherwise as `redrive`."""

        async def one(run: Run[Any]) -> None:
            await run.discard(by=by, reason=reason)

        return await self._move(runs, one, progress)

    async def _move(
        self,
        runs: Iterable[str],
        move: Callable[[Run[Any]], Awaitable[None]],
        progress: Callable[[Moved], None] | None,
    ) -> list[Moved]:
        async def one(run: str) -> Moved:
            try:
                await move(self.run(run))
                moved = Moved(run)
            except (HoldfastError, RPCError) as error:
                moved = Moved(
                    run, str(error), nobody_answers=isinstance(error, NoWorkerAnswers | ConnectionFailed)
                )
            if progress is not None:
                progress(moved)
            return moved

        return await each(runs, one)

    async def _note(self, run: str) -> ParkedNote | None:
        try:
            return (await self.run(run).inspect()).parked
        except HoldfastError:
            return None

    @abstractmethod
    def run(self, id: str) -> Run[Any]:  # noqa: A002  # as in Client
        """The run of that id."""

    @abstractmethod
    async def _open_runs(self, wanted: dict[str, str | None], limit: int) -> list[RunSummary]:
        """Runs that have not ended, with these search attributes, newest first."""


async def each(
    items: Iterable[str], do: Callable[[str], Awaitable[Any]], *, at_once: int = AT_ONCE
) -> list[Any]:
    """`do` of each item, some at a time; each item once."""
    gate = asyncio.Semaphore(at_once)

    async def one(item: str) -> Any:
        async with gate:
            return await do(item)

    return list(await asyncio.gather(*map(one, dict.fromkeys(items))))
