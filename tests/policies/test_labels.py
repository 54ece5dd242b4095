"""policies/labels.py: what people read in the UI is short, on its line, and within what the server keeps."""

from __future__ import annotations

import subprocess
from typing import Any, get_args

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts import user_metadata
from holdfast.contracts.requests import CHOICES, DecisionInput, Request, RequestKind
from holdfast.contracts.spec import ModelRung, RulesRung
from policies.json_safety import safe
from policies.labels import (
    call_summary,
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
