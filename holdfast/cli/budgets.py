"""`holdfast budgets`: the accounts that runs share, and their limits."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.command import AsJson, Server, by_option, command
from holdfast.contracts import names
from holdfast.errors import NoWorkerAnswers, UsageError

if TYPE_CHECKING:
    from holdfast.client import Client
    from holdfast.contracts.accounts import AccountView

_EXAMPLES = """\
  holdfast budgets                       what each account has spent today, and who waits
  holdfast budgets show user/ana         one account
  holdfast budgets set user/ana 5        $5 a day from now on, whatever agents say
  holdfast budgets set team/platform 40 --by dana --json"""

_ANSWERS_WITHIN = timedelta(seconds=10)


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "budgets", panel="Runs", examples=_EXAMPLES, queue=False)
    async def budgets(
        *,
        server: Server,
        action: Annotated[
            str, typer.Argument(metavar="show|set", help="What to do; without it all are listed.")
        ] = "list",
        account: Annotated[
            str, typer.Argument(metavar="ACCOUNT", help="Such as user/ana.", show_default=False)
        ] = "",
        usd: Annotated[
            str, typer.Argument(metavar="USD", help="The limit for each day.", show_default=False)
        ] = "",
        by: Annotated[
            str,
            by_option("Who sets it"),
        ],
        as_json: AsJson = False,
    ) -> int | None:
        """Show what accounts have spent today (UTC), or set an account's limit.

        Reserved money is set aside for calls under way. Presumed money is a part of what was spent: calls whose
        worker died, counted at the most that they may have cost. A limit that is set goes before the ones that
        agents name; runs that wait for it go on by themselves.
        """
        if action not in ("list", "show", "set") or (action == "list") != (not account):
            raise UsageError("Say `holdfast budgets`, `budgets show ACCOUNT` or `budgets set ACCOUNT USD`.")
        limit = _limit(usd) if action == "set" else None
        if action == "set" and not by.strip():
            raise UsageError("Say who sets it by --by NAME, or set HOLDFAST_USER.")
        client = await server.client()
        if limit is not None:
            found = [await _set(client, account, limit, by)]
        elif action == "show":
            found = [await _shown(client, account)]
        else:
            found = await _all(client)
        if as_json:
            shown: Any = [one.model_dump(mode="json") for one in found]
            print(json.dumps(shown if action == "list" else shown[0], indent=2))
            return None
        from holdfast.cli.rendering.screen import out
        from holdfast.cli.rendering.tables import print_accounts

        if found:
            print_accounts(out(), found)
        else:
            print("No account yet: one begins with the first model call that is paid from it.")
        return None


def _limit(usd: str) -> Decimal:
    try:
        amount = Decimal(usd.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise UsageError(f"{usd!r} is no amount of USD; say one such as 5 or 0.50.")
    return amount


async def _set(client: Client, account: str, limit: Decimal, by: str) -> AccountView:
    from activities.accounts import start_account
    from holdfast.contracts.accounts import AccountView, SetLimit

    asked = SetLimit(by=by, daily_usd=limit)
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN.total_seconds()):
            return await start_account(client.temporal, account, names.SET_LIMIT, asked, AccountView)
    except TimeoutError:
        raise _nobody(account) from None


async def _shown(client: Client, account: str) -> AccountView:
    from temporalio.client import WorkflowQueryFailedError
    from temporalio.service import RPCError, RPCStatusCode

    from holdfast.connection import server_failed
    from holdfast.contracts.accounts import AccountView

    handle = client.temporal.get_workflow_handle(names.ACCOUNT_PREFIX + account)
    try:
        view: AccountView = await handle.query(
            names.SHOW_ACCOUNT, result_type=AccountView, rpc_timeout=_ANSWERS_WITHIN
        )
    except WorkflowQueryFailedError:
        raise _nobody(account) from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise UsageError(
                f"There is no account {account!r} yet: `holdfast budgets` lists those there are."
            ) from None
        raise server_failed(error, waits_for_worker=True) or _nobody(account) from None
    return view


async def _all(client: Client) -> list[AccountView]:
    listed = client.temporal.list_workflows(
        f"WorkflowType = '{names.BUDGET_ACCOUNT}' AND ExecutionStatus = 'Running'",
        limit=500,
        rpc_timeout=_ANSWERS_WITHIN,
    )
    accounts = sorted([one.id.removeprefix(names.ACCOUNT_PREFIX) async for one in listed])
    return [await _shown(client, account) for account in accounts]


def _nobody(account: str) -> NoWorkerAnswers:
    return NoWorkerAnswers(
        f"No worker answers for the account {account}: is one running? `holdfast worker package.module` starts one."
    )
