"""policies/effects.py: two calls never share a key by accident, and one call never has two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.base import JsonObject
from holdfast.contracts.calls import CallRecord, CallStatus
from holdfast.contracts.digests import canonical
from holdfast.contracts.spec import ToolSpec
from policies.effects import fingerprint, idempotency_key, same_key, would_do
from tests.strategies import json_objects, texts

PLAIN = ToolSpec(name="pay", input_schema={})

call_ids = st.builds("{}.{}".format, st.integers(1, 2000), st.integers(1, 200))
run_ids = st.one_of(texts, st.sampled_from(["run", "run/1.1", "run/1", "1.1", "a/b/c"]))


def keyed(template: str) -> ToolSpec:
    """A tool with this key."""
    return ToolSpec(name="refund", input_schema={}, key=template)


@given(st.tuples(run_ids, call_ids), st.tuples(run_ids, call_ids), json_objects, json_objects)
def test_two_calls_never_share_a_key(
    one: tuple[str, str], other: tuple[str, str], first: JsonObject, second: JsonObject
) -> None:
    """Keys are equal for the same call of the same run, and only for it, whatever the arguments."""
    keys = idempotency_key(PLAIN, *one, first), idempotency_key(PLAIN, *other, second)
    assert (keys[0] == keys[1]) is (one == other)


@pytest.mark.parametrize(
    "template,arguments,key",
    [
        ("refund/{order}", {"order": "o-7"}, "refund/o-7"),
        ("{order}/{part}", {"order": 7, "part": None}, "7/null"),
        ("{{literal}}/{order}", {"order": True}, "{literal}/true"),
        ("o:{order}", {"order": {"b": 1, "a": [1.5, "ü"]}}, 'o:{"a":[1.5,"\\u00fc"],"b":1}'),
        ("o:{order}", {}, "o:null"),
        ("fixed", {"order": 1}, "fixed"),
        ("o:{order}", {"order": "{part}", "part": "x"}, "o:{part}"),
    ],
)
def test_a_template_is_filled_in(template: str, arguments: JsonObject, key: str) -> None:
    """The author's key holds the arguments it names, texts as they are and all else as canonical JSON."""
    assert idempotency_key(keyed(template), "run", "1.1", arguments) == key


@given(json_objects, json_objects)
def test_a_template_knows_no_run(first: JsonObject, second: JsonObject) -> None:
    """The same refund of two runs has one key: that is what a template is for."""
    tool = keyed("refund/{order}")
    keys = {
        idempotency_key(tool, run, call, {**other, "order": "o-7"})
        for run, call, other in (("a", "1.1", first), ("b", "2.3", second))
    }
    assert keys == {"refund/o-7"}


@given(json_objects, json_objects)
def test_fingerprints_tell_arguments_apart(first: JsonObject, second: JsonObject) -> None:
    """Equal fingerprints mean equal tool and arguments, in whatever order they were spelled."""
    same = canonical(first) == canonical(second)
    assert (fingerprint("pay", first) == fingerprint("pay", second)) is same
    assert fingerprint("pay", first) == fingerprint("pay", dict(reversed(first.items())))
    assert fingerprint("pay", first) != fingerprint("refund", first)


def a_call(status: CallStatus, key: str = "k") -> CallRecord:
    """A call under this key."""
    return CallRecord(
        id="1.1", tool_use_id="t1", tool="pay", arguments={}, status=status, idempotency_key=key
    )


@pytest.mark.parametrize(
    "status,before,after",
    [
        ("done", True, True),
        ("running", True, True),
        ("unknown", True, True),
        ("waiting", True, False),
        ("proposed", True, False),
        ("refused", False, False),
        ("rejected", False, False),
        ("expired", False, False),
        ("failed", False, False),
        ("skipped", False, False),
    ],
)
def test_a_key_is_spent_by_what_may_have_happened(status: CallStatus, *, before: bool, after: bool) -> None:
    """What was not carried out leaves its key free; of two calls that have not begun, the first goes first."""
    other, call = a_call(status), a_call("proposed")
    assert (same_key([other, call], call) is other) is before
    assert (same_key([call, other], call) is other) is after


@given(st.lists(st.sampled_from(["proposed", "waiting"]), min_size=1, max_size=6))
def test_calls_with_one_key_never_wait_for_each_other(statuses: list[CallStatus]) -> None:
    """Of any number of calls that have not begun, exactly one is free to go: the first."""
    calls = [a_call(status) for status in statuses]
    assert [same_key(calls, call) is None for call in calls] == [True] + [False] * (len(calls) - 1)


def test_another_key_is_another_effect() -> None:
    """A call is not held up by calls under other keys, nor by itself."""
    call = a_call("proposed")
    assert same_key([a_call("done", "other"), call], call) is None


def test_a_simulated_call_says_what_it_would_have_done() -> None:
    """Its result names the call and says that nothing was changed."""
    assert would_do("pay", {"order": 7}) == {
        "dry_run": True, "would_call": "pay", "arguments": {"order": 7}, "note": "nothing was changed",
    }  # fmt: skip
