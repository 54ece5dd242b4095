"""Values of what accounts are asked and remember."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel

from holdfast.contracts import accounts, spec

GRANT = accounts.Grant(
    granted=True,
    limit_usd=Decimal("1.00"),
    spent_usd=Decimal("0.25"),
    reserved_usd=Decimal("0.10"),
    for_a_moment=True,
)
UNTIL = "2026-11-25T12:10:00+00:00"
RESERVATION = accounts.Reservation(run="ticket-88", usd=Decimal("0.10"), day="2026-11-25", until=UNTIL)
PROMISE = accounts.Promise(usd=Decimal("0.20"), until=UNTIL)
WAITING = accounts.Waiting(run="ticket-90", usd=Decimal("0.30"), daily_usd=Decimal("1.00"), for_a_moment=True)
DAY = accounts.Day(day="2026-11-25", spent_usd=Decimal("0.25"), presumed_usd=Decimal("0.05"))

EXAMPLES: dict[str, BaseModel] = {
    "BudgetSpec": spec.BudgetSpec(account="team/platform", daily_usd=Decimal("20.00")),
    "ModelRung.priced": spec.ModelRung(
        kind="model", model="my-own", usd_per_million_tokens=(Decimal("3.00"), Decimal("15.00"))
    ),
    "AgentSpec.budgeted": spec.AgentSpec(
        name="sorter",
        instructions="Sort.",
        ladder=(spec.ModelRung(kind="model", model="my-own"),),
        budgets=(spec.BudgetSpec(account="agent", daily_usd=Decimal("5.00")),),
    ),
    "Reserve": accounts.Reserve(
        id="0192/3/1", run="ticket-88", usd=Decimal("0.10"), daily_usd=Decimal("1.00"), lease_seconds=660.0
    ),
    "Grant": GRANT,
    "Settle": accounts.Settle(id="0192/3/1", usd=Decimal("0.04"), presumed=True),
    "SetLimit": accounts.SetLimit(by="dana", daily_usd=Decimal("5.00"), today_usd=Decimal("1.00")),
    "WaitForRoom": accounts.WaitForRoom(
        run="ticket-90", usd=Decimal("0.30"), daily_usd=Decimal("1.00"), for_a_moment=True
    ),
    "Shortage": accounts.Shortage(
        account="user/ana", usd=Decimal("0.30"), daily_usd=Decimal("1.00"), grant=GRANT
    ),
    "Expensive": accounts.Expensive(may_cost_usd=Decimal("0.42"), allowed_usd=Decimal("0.25")),
    "LimitsSpec.asking": spec.LimitsSpec(ask_above_usd=Decimal("0.25")),
    "Reservation": RESERVATION,
    "Promise": PROMISE,
    "Waiting": WAITING,
    "Day": DAY,
    "Ledger": accounts.Ledger(
        account="user/ana",
        day="2026-11-25",
        agents_usd=Decimal("1.00"),
        set_usd=Decimal("5.00"),
        set_by="dana",
        today_usd=Decimal("1.00"),
        reservations={"0192/3/1": RESERVATION},
        promises={"ticket-89": PROMISE},
        waiting=[WAITING],
        days=[DAY],
        closed=["0192/2/1"],
    ),
    "AccountView": accounts.AccountView(
        account="user/ana",
        day="2026-11-25",
        limit_usd=Decimal("6.00"),
        set_by="dana",
        spent_usd=Decimal("0.25"),
        presumed_usd=Decimal("0.05"),
        reserved_usd=Decimal("0.10"),
        waiting=["ticket-90"],
    ),
}
