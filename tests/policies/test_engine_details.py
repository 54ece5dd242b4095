"""policies/engine_details.py: what the UI shows of accounts, breakers, checks and alerts is what a person asks of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from holdfast.contracts import user_metadata
from holdfast.contracts.accounts import AccountView
from holdfast.contracts.alerts import Alert, AlertOutcome
from holdfast.contracts.breakers import Breaker
from holdfast.contracts.health import Finding, HealthCheckLine, HealthReport
from holdfast.contracts.undo import UndoneCall
from policies.engine_details import of_account, of_alert, of_breakers, of_check, of_undo

AT = datetime(2026, 11, 25, 12, 10, tzinfo=UTC)
ACCOUNT = AccountView(
    account="user/ana", day="2026-11-25", limit_usd=Decimal(1), set_by="", spent_usd=Decimal("0.25"),
    presumed_usd=Decimal("0.05"), reserved_usd=Decimal("0.1"), waiting=["ticket-90"],
)  # fmt: skip
ALERT = Alert(fingerprint="f", run="ticket-88", where="tool `pay`", kind="transient", message="it is *busy*")
FINDING = Finding(
    kind="no_worker", severity="problem", subject="holdfast", text="no worker", helps="start one:",
    command="holdfast worker m",
)  # fmt: skip
REPORT = HealthReport(
    at=AT, checks=(HealthCheckLine(name="workers", status="problem", text="none"),), findings=(FINDING,)
)
UNDONE = [
    UndoneCall(call="2.1", tool="stop", outcome="undone"),
    UndoneCall(call="2.2", tool="pay", outcome="irreversible"),
]
BREAKERS = [
    Breaker(dependency="crm", reset_by="dana"),
    Breaker(dependency="model:claude", state="open", failures=5, until=AT, last_failure="529: *Overloaded*"),
]


@pytest.mark.parametrize(
    "shown,words",
    [
        (of_account(ACCOUNT), "**user/ana** on 2026-11-25 (UTC): \\$0.2500 spent (\\$0.0500 of it presumed) of \\$1.00"),
        (of_account(ACCOUNT), "\\$0.1000 set aside for calls under way. The limit is the agents' own."),
        (of_account(ACCOUNT), "### 1 waiting for room\n- `ticket-90`"),
        (of_account(ACCOUNT.model_copy(update={"set_by": "dana"})), "The limit is set by dana."),
        (of_breakers(BREAKERS), "- `model:claude` **open**, 5 failures in a row, a trial after 2026-11-25 12:10 UTC"),
        (of_breakers(BREAKERS), ": 529: \\*Overloaded\\*\n- `crm` **closed**, closed by dana"),
        (of_check(REPORT), "- workers: **problem**, none"),
        (of_check(REPORT), "### problem: holdfast\nno worker\n\nstart one: `holdfast worker m`"),
        (of_alert(ALERT, AlertOutcome()), "**tool \\`pay\\`** (transient) in run `ticket-88`: it is \\*busy\\*"),
        (of_alert(ALERT, AlertOutcome()), "Not sent: no webhook is set."),
        (of_alert(ALERT.model_copy(update={"more": 3}), AlertOutcome(sent_to="h")), "Sent to h. 3 more met the same."),
        (of_undo("ticket-88", UNDONE), "- `2.1 stop` was undone\n- `2.2 pay` **stands**: nothing can take it back"),
    ],
)  # fmt: skip
def test_the_engines_own_workflows_say_how_they_stand(shown: str, words: str) -> None:
    """Numbers, states, who set them, what is wrong and what helps."""
    assert words in shown


def test_what_is_long_is_cut_and_counted() -> None:
    """However many runs wait and breakers are known, the server keeps it."""
    crowd = of_account(ACCOUNT.model_copy(update={"waiting": [f"run-{n}" + "x" * 900 for n in range(500)]}))
    assert "### 500 waiting for room" in crowd
    assert len(crowd) <= user_metadata.DETAILS_BYTES
    assert "and 470 more" in of_breakers([Breaker(dependency=f"d{n}") for n in range(500)])
