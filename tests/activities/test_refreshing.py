"""The refreshes of one worker: shared by calls that need them at once, bounded, and told about when they fail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activities.refreshing import Refreshes, Work
from holdfast.context import ToolContext
from holdfast.contracts.base import Json
from holdfast.errors import Correctable, Unauthorised

CONTEXT = ToolContext(
    run="r", call="1.1", agent="a", idempotency_key="k", attempt=1, dry_run=False, user=None
)


async def plainly(work: Work) -> Json:
    """Carries it out as it is."""
    return await work()


class Service:
    """Refuses until it was logged in to, which takes until `go`."""

    def __init__(self) -> None:
        self.asked = self.logins = 0
        self.valid = False
        self.go = asyncio.Event()

    async def ask(self) -> Json:
        self.asked += 1
        if not self.valid:
            raise Unauthorised("expired")
        return "ok"

    async def log_in(self) -> None:
        self.logins += 1
        await self.go.wait()
        self.valid = True


async def settled() -> None:
    """Everything has run that can run."""
    for _ in range(200):
        await asyncio.sleep(0)


async def asked(refreshes: Refreshes, work: Work, refresh: Any, **more: Any) -> Json:
    return await refreshes.carry_out(work, refresh, CONTEXT, guarded=plainly, **more)


async def test_calls_that_are_refused_at_once_share_one_refresh() -> None:
    """Twenty calls, one login, forty requests; the bound method is one function however often it is looked up."""
    service, refreshes = Service(), Refreshes()
    calls = [asyncio.create_task(asked(refreshes, service.ask, service.log_in)) for _ in range(20)]
    await settled()
    assert (service.logins, service.asked) == (1, 20)
    service.go.set()
    assert await asyncio.gather(*calls) == ["ok"] * 20
    assert (service.logins, service.asked) == (1, 40)


async def test_a_call_that_began_before_the_refresh_ended_needs_no_other() -> None:
    """It was refused with the old token, and hears of it late: the token is new by now."""
    service, refreshes = Service(), Refreshes()
    service.go.set()
    late = asyncio.Event()

    async def slow() -> Json:
        if not late.is_set():
            await late.wait()
            raise Unauthorised("expired")
        return await service.ask()

    call = asyncio.create_task(asked(refreshes, slow, service.log_in))
    await asyncio.sleep(0)
    assert await asked(refreshes, service.ask, service.log_in) == "ok"
    late.set()
    assert await call == "ok"
    assert service.logins == 1


async def test_who_gives_up_leaves_the_refresh_to_the_others() -> None:
    """It goes on while anybody waits for it, is given up with the last, and the next call begins another."""
    service, refreshes = Service(), Refreshes()
    first, second = (asyncio.create_task(asked(refreshes, service.ask, service.log_in)) for _ in range(2))
    await settled()
    first.cancel()
    await asyncio.wait([first])
    assert service.logins == 1
    second.cancel()
    await asyncio.wait([second])
    third = asyncio.create_task(asked(refreshes, service.ask, service.log_in))
    await settled()
    assert service.logins == 2
    service.go.set()
    assert await third == "ok"
    assert first.cancelled()


def vault_is_down() -> None:
    raise OSError("no route to the vault")


def nothing_new() -> None:
    pass


@pytest.mark.parametrize(
    "refresh,asked_for,words",
    [
        (None, 1, "expired"),
        (
            vault_is_down,
            1,
            "expired. The credentials could not be refreshed (OSError): no route to the vault",
        ),
        (nothing_new, 2, "expired. The credentials had been refreshed once."),
    ],
)
async def test_what_a_refresh_does_not_mend_says_so(refresh: Any, asked_for: int, words: str) -> None:
    """One refresh at most, one more try at most, and the error is of the same kind."""
    service = Service()
    with pytest.raises(Unauthorised) as raised:
        await asked(Refreshes(), service.ask, refresh)
    assert str(raised.value) == words
    assert service.asked == asked_for


async def test_another_error_needs_no_refresh() -> None:
    """And the second try's own error is its own."""
    service, errors = (
        Service(),
        [Correctable("no such order"), Unauthorised("expired"), Correctable("closed")],
    )
    service.go.set()

    async def fail() -> Json:
        raise errors.pop(0)

    for words, logins in (("no such order", 0), ("closed", 1)):
        with pytest.raises(Correctable, match=words):
            await asked(Refreshes(), fail, service.log_in)
        assert service.logins == logins


async def test_the_lease_is_asked_before_the_second_try() -> None:
    """What stands before it may end the activity, and nothing is called then."""
    service = Service()

    async def lost() -> None:
        raise TimeoutError("not ours any more")

    with pytest.raises(TimeoutError):
        await asked(Refreshes(), service.ask, nothing_new, before_again=lost)
    assert service.asked == 1
