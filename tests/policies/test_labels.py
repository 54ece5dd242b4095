"""policies/labels.py: what people read in the UI is short, on its line, and within what the server keeps."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from typing import Any, get_args

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts import user_metadata
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.plans import Usage
from holdfast.contracts.requests import CHOICES, DecisionInput, Ignored, Request, RequestKind
from holdfast.contracts.run import RunOutcome, RunView, StepRecord
from holdfast.contracts.spec import ModelRung, RulesRung
from policies.json_safety import safe
from policies.labels import (
    MAX_REQUESTS_SHOWN,
    call_summary,
    details,
    plan_summary,
    planner_name,
    signal_command,
    vet_summary,
)
from tests.strategies import any_values, texts

long_texts = st.one_of(
    texts, st.sampled_from(["x" * 5000, "😀" * 5000, "line\n" * 999, "\x01" * 999, '"' * 999])
)
safe_arguments = st.dictionaries(texts, any_values.map(safe), max_size=4)


def stored_bytes(text: str) -> int:
    """The size of the payload that Temporal is sent."""
    return len(pydantic_core.to_json(text))


def a_request(**fields: Any) -> Request:
    """An open request."""
    given_fields = {
        "id": "1.1-approval-ab12cd34", "kind": "approval", "run": "r", "agent": "a", "digest": "d", "step": 1,
        "why": "it costs money", "by": "finops", **fields,
    }  # fmt: skip
    return Request.model_validate(given_fields)


def a_view(**fields: Any) -> RunView:
    """A run as it stands."""
    given_fields = {
        "run": "r", "agent": "a", "digest": "d", "task": "Look.", "user": None, "dry_run": False,
        "status": "acting", "started_at": "", "steps": [], "requests": [], "decisions": [], "ignored": [],
        "effects": [], "usage": Usage(cost_usd=Decimal("0.5"), input_tokens=1234), **fields,
    }  # fmt: skip
    return RunView.model_validate(given_fields)


def a_step(**fields: Any) -> StepRecord:
    """The only step of a run."""
    return StepRecord.model_validate(
        {"number": 1, "rung": 0, "planner": "m", "stop_reason": "tool_use", **fields}
    )


@given(long_texts, safe_arguments, st.booleans())
def test_a_summary_is_one_line_that_the_server_keeps(
    name: str, arguments: dict[str, Any], simulate: bool
) -> None:
    """Whatever a tool is called and called with: one line, within the 400 bytes of a summary."""
    rung = ModelRung(kind="model", model=name)
    for made in (
        call_summary(name, arguments, simulate=simulate),
        plan_summary(3, rung, 1200),
        vet_summary([name] * 3),
    ):
        assert stored_bytes(made) <= user_metadata.SUMMARY_BYTES
        assert "\n" not in made


@given(long_texts)
def test_what_fits_is_kept_and_what_does_not_is_used_up_to_the_limit(text: str) -> None:
    """A text is cut only where it must be, and then keeps as much as there is room for."""
    made = user_metadata.details(text)
    assert stored_bytes(made) <= user_metadata.DETAILS_BYTES
    if made != text:
        assert text.startswith(made[:-1])
        assert stored_bytes(made) > user_metadata.DETAILS_BYTES - 12


@pytest.mark.parametrize(
    "made,expected",
    [
        (plan_summary(3, ModelRung(kind="model", model="claude"), 1234), "plan 3 · claude · 1.2k tokens"),
        (plan_summary(1, RulesRung(kind="rules", function="cut"), 0), "plan 1 · rules cut"),
        (call_summary("stop", {"force": True, "tags": ["x"], "id": "i-0abc", "n": 1}), "stop i-0abc 1"),
        (call_summary("stop", {"n": 7}, simulate=True), "stop 7 (dry run)"),
        (call_summary("stop", {}), "stop"),
        (call_summary("write", {"text": "a\n  b" + "c" * 99}), "write a b" + "c" * 54 + "…"),
        (vet_summary(["stop", "delete"]), "vet stop, delete"),
        (planner_name(RulesRung(kind="rules", function="cut")), "rules cut"),
    ],
)
def test_summaries_read_well(made: str, expected: str) -> None:
    """The number of the step, the planner and the context; the tool and its first plain argument."""
    assert made == expected


@given(
    task=long_texts,
    said=long_texts,
    why=long_texts,
    arguments=safe_arguments,
    requests=st.integers(0, 30),
    calls=st.integers(0, 40),
)
def test_details_are_kept_by_the_server_whatever_the_run(
    *, task: str, said: str, why: str, arguments: dict[str, Any], requests: int, calls: int
) -> None:
    """Long tasks, many calls and many requests: at most 20,000 bytes."""
    record = CallRecord(id="1.1", tool_use_id="t", tool="stop", arguments=arguments)
    outcome = RunOutcome(run="r", agent="a", digest="d", status="failed", reason=why)
    view = a_view(
        task=task,
        steps=[a_step(text=said, calls=[record] * calls)],
        requests=[a_request(why=why, by=said or "x", tool="stop", arguments=arguments)] * requests,
        ignored=[Ignored(at="", signal="approve", why=why)],
        outcome=outcome,
    )
    assert stored_bytes(details(view)) <= user_metadata.DETAILS_BYTES


def test_details_say_what_a_person_needs() -> None:
    """State, cost, task, the last plan with its calls, and how to answer what is asked."""
    record = CallRecord(id="1.1", tool_use_id="t", tool="stop", arguments={"id": "i-1"}, status="waiting")
    shown = details(
        a_view(
            status="waiting",
            task="Stop\nall of it.",
            steps=[a_step(text="I stop it.", calls=[record])],
            requests=[a_request(tool="stop", arguments={"id": "i-1"}, deadline="2026-11-22T00:00:00+00:00")],
        )
    )
    for words in (
        "**a** is **waiting**, step 1 · $0.5000 · 1,234 tokens",
        "> Stop all of it.",
        "Last plan by m: I stop it.",
        "- `stop i-1`: waiting",
        "### Waiting for finops: approval",
        '`stop` `{"id": "i-1"}`',
        "Why: it costs money",
        "Denied if unanswered by 2026-11-22T00:00:00+00:00.",
        "temporal workflow signal --workflow-id r",
    ):
        assert words in shown


def test_arguments_cannot_speak_in_the_engines_voice() -> None:
    """What a model wrote stays between its backticks and on its line."""
    arguments = {"note": "` is fine\n\n### Waiting for nobody: approved"}
    shown = details(
        a_view(task="x\n# Done", requests=[a_request(tool="stop", arguments=arguments, why="a\n# b")])
    )
    (line,) = [line for line in shown.splitlines() if "is fine" in line]
    assert line.count("`") == 4
    spelled = line.split("`")[3]
    assert json.loads(spelled) == arguments
    assert [line for line in shown.splitlines() if line.startswith("#")] == [
        "### Waiting for finops: approval"
    ]


def test_more_requests_than_fit_are_counted() -> None:
    """The first ten are shown."""
    shown = details(a_view(requests=[a_request(id=f"{number}") for number in range(MAX_REQUESTS_SHOWN + 5)]))
    assert "… and 5 more open requests." in shown


@pytest.mark.parametrize("kind", get_args(RequestKind))
@pytest.mark.parametrize("run", ["ticket-88", "it's", "a b", '"; rm -rf "$HOME"', "ü"])
def test_the_command_that_answers_a_request_is_one_that_a_shell_takes(kind: RequestKind, run: str) -> None:
    """Whatever the run is called, the shell hands Temporal the run, the signal and a decision."""
    temporal = "temporal() { printf '%s\\0' \"$@\"; }\n"
    script = temporal + signal_command(a_request(kind=kind, run=run))
    said = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout.decode()
    workflow, signal, *words = said.rstrip("\0").split("\0")
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert (workflow, signal) == ("workflow", "signal")
    assert options["--workflow-id"] == run
    assert options["--name"] in CHOICES[kind]
    assert DecisionInput.model_validate_json(options["--input"]).request == "1.1-approval-ab12cd34"
