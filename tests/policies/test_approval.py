"""policies/approval.py: the table in its docstring, line by line, and what stands above the table."""

from __future__ import annotations

import itertools

import pytest

import policies.approval
from holdfast import Verdict, arg
from holdfast.contracts.spec import AgentSpec, ApprovalSpec, Autonomy, ModelRung, ToolSpec
from policies.approval import Clearance, clear

AUTONOMIES: tuple[Autonomy, ...] = ("observe", "reversible", "supervised", "full")

RULE_SAYS_NO = ApprovalSpec(by="finops", when=arg("cost") > 100)
ARGUMENTS = {"cost": 5}

TOOLS = {
    "reads": ToolSpec(name="t", input_schema={}, effect="read"),
    "reversible write": ToolSpec(name="t", input_schema={}, effect="reversible", has_undo=True),
    "irreversible write": ToolSpec(name="t", input_schema={}, effect="irreversible"),
    "irreversible write, approval rule says no": ToolSpec(
        name="t", input_schema={}, effect="irreversible", approval=RULE_SAYS_NO
    ),
    "irreversible write with a waiver": ToolSpec(
        name="t", input_schema={}, effect="irreversible", waiver="harmless"
    ),
}


def an_agent(autonomy: Autonomy, tool: ToolSpec) -> AgentSpec:
    """An agent of this autonomy, with this tool."""
    rung = ModelRung(kind="model", model="m")
    return AgentSpec(
        name="a", instructions="", tools=(tool,), ladder=(rung,), autonomy=autonomy, approvers="ops"
    )


def the_table() -> list[tuple[str, Autonomy, str]]:
    """The cells of the docstring's table: the call, the autonomy, what happens."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (policies.approval.__doc__ or "").splitlines()
        if line.startswith("|") and not line.startswith("|-")
    ]
    head, *body = rows
    assert head[1:] == list(AUTONOMIES)
    return [
        (row[0], autonomy, cell) for row in body for autonomy, cell in zip(AUTONOMIES, row[1:], strict=True)
    ]


def in_words(clearance: Clearance) -> str:
    """A clearance in the table's words."""
    if clearance.simulate:
        return "simulated" if clearance.kind == "run" else f"simulated, {clearance.kind}"
    return {"run": "runs", "ask": "asks", "refuse": "refuses"}[clearance.kind]


def test_the_table_has_every_kind_of_call() -> None:
    """Five kinds of call by four autonomies."""
    assert {call for call, _, _ in the_table()} == set(TOOLS)
    assert len(the_table()) == 20


@pytest.mark.parametrize("call,autonomy,expected", the_table())
def test_the_table_is_what_happens(call: str, autonomy: Autonomy, expected: str) -> None:
    """Each cell of the table is what the code decides."""
    tool = TOOLS[call]
    decided = clear(an_agent(autonomy, tool), tool, ARGUMENTS, None, dry_run=False)
    assert in_words(decided) == expected


EVERY_CALL = list(itertools.product(TOOLS, AUTONOMIES, (False, True)))
EVERY_REAL_CALL = list(itertools.product(TOOLS, AUTONOMIES))


@pytest.mark.parametrize("call,autonomy,dry_run", EVERY_CALL)
def test_no_approval_overrules_a_refusal(call: str, autonomy: Autonomy, *, dry_run: bool) -> None:
    """A guard that refuses has the last word, whatever the call and the autonomy."""
    verdict = Verdict.refuse("it is critical")
    decided = clear(an_agent(autonomy, TOOLS[call]), TOOLS[call], ARGUMENTS, verdict, dry_run=dry_run)
    assert (decided.kind, decided.why) == ("refuse", "it is critical")


@pytest.mark.parametrize("call,autonomy,dry_run", EVERY_CALL)
def test_a_guard_that_asks_is_heard(call: str, autonomy: Autonomy, *, dry_run: bool) -> None:
    """Whom the guard names is asked, for every call but a write that is only observed."""
    tool = TOOLS[call]
    verdict = Verdict.ask("on a Friday?", by="dana")
    decided = clear(an_agent(autonomy, tool), tool, ARGUMENTS, verdict, dry_run=dry_run)
    if tool.writes and autonomy == "observe":
        assert decided == Clearance(kind="run", simulate=True)
    else:
        assert (decided.kind, decided.why, decided.by) == ("ask", "on a Friday?", "dana")
        assert decided.simulate is (dry_run and tool.writes)


@pytest.mark.parametrize("call,autonomy", EVERY_REAL_CALL)
def test_an_allowing_guard_changes_nothing(call: str, autonomy: Autonomy) -> None:
    """`allow` means that nothing speaks against the call: the table still holds."""
    spec, tool = an_agent(autonomy, TOOLS[call]), TOOLS[call]
    with_guard = clear(spec, tool, ARGUMENTS, Verdict.allow(), dry_run=False)
    assert with_guard == clear(spec, tool, ARGUMENTS, None, dry_run=False)


@pytest.mark.parametrize("call,autonomy", EVERY_REAL_CALL)
def test_a_dry_run_asks_as_a_real_one_would(call: str, autonomy: Autonomy) -> None:
    """It rehearses the approvals, and no write of it is real."""
    spec, tool = an_agent(autonomy, TOOLS[call]), TOOLS[call]
    real, dry = (clear(spec, tool, ARGUMENTS, None, dry_run=dry_run) for dry_run in (False, True))
    assert (dry.kind, dry.why, dry.by) == (real.kind, real.why, real.by)
    assert dry.simulate is tool.writes


@pytest.mark.parametrize("effect", ["read", "reversible", "irreversible"])
@pytest.mark.parametrize("autonomy", AUTONOMIES)
@pytest.mark.parametrize("when", [None, arg("cost") > 1, arg("missing") > 1])
def test_a_tools_own_rule_is_heard(effect: str, autonomy: Autonomy, when: object) -> None:
    """Where its condition holds, or cannot be told, its approver is asked, for as long as it says."""
    rule = ApprovalSpec(by="finops", when=when, expires_in_seconds=60.0)  # type: ignore[arg-type]  # parametrized
    tool = ToolSpec(name="t", input_schema={}, effect=effect, approval=rule)  # type: ignore[arg-type]  # the same
    decided = clear(an_agent(autonomy, tool), tool, ARGUMENTS, None, dry_run=False)
    if tool.writes and autonomy == "observe":
        assert decided == Clearance(kind="run", simulate=True)
        return
    assert (decided.kind, decided.by, decided.patience.expires_in_seconds) == ("ask", "finops", 60.0)
    assert decided.why.startswith("t needs approval by finops")


def test_who_nobody_named_is_the_agents_approver() -> None:
    """Without a rule the agent's approvers are asked, for ever."""
    tool = TOOLS["irreversible write"]
    decided = clear(an_agent("reversible", tool), tool, {}, None, dry_run=False)
    assert decided == Clearance(kind="ask", why="t cannot be undone", by="ops")
