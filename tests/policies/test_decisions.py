"""policies/decisions.py: which request a decision is about, and whether it fits."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.requests import ANSWERS, CHOICES, Choice, DecisionInput, Request, RequestKind
from policies.decisions import misfit, pick
from tests.strategies import texts

KINDS: tuple[RequestKind, ...] = get_args(RequestKind)
ALL_CHOICES: tuple[Choice, ...] = get_args(Choice)


def a_request(kind: RequestKind = "approval", name: str = "1.1-approval-ab12cd34") -> Request:
    """An open request."""
    return Request(id=name, kind=kind, run="r", agent="a", digest="d", step=1, why="", by="operator")


def fitting(choice: Choice, kind: RequestKind) -> dict[str, Any]:
    """What a decision of this choice needs."""
    words = ANSWERS.get(kind, ("Tuesday",))
    return {"by": "dana", "answer": words[0] if choice == "answer" else ""}


def test_the_request_that_is_named_is_meant() -> None:
    """A decision that names its request is about exactly this one."""
    first, second = a_request(), a_request(name="1.2-approval-ef56ab78")
    assert pick(DecisionInput(by="dana", request=second.id), [first, second]) is second


def test_the_only_request_need_not_be_named() -> None:
    """With one open request there is no doubt."""
    assert pick(DecisionInput(by="dana"), [only := a_request()]) is only


@pytest.mark.parametrize(
    "name,open_requests,told",
    [
        (
            "2.1-approval-0",
            [a_request()],
            "request '2.1-approval-0' is not open; open are: 1.1-approval-ab12cd34",
        ),
        ("2.1-approval-0", [], "request '2.1-approval-0' is not open; open are: none"),
        (None, [], "say which request is meant; open are: none"),
        (
            None,
            [a_request(), a_request(name="x")],
            "say which request is meant; open are: 1.1-approval-ab12cd34, x",
        ),
    ],
)
def test_a_decision_about_nothing_is_told_what_is_open(
    name: str | None, open_requests: list[Request], told: str
) -> None:
    """An unknown or closed request is never taken for another one."""
    assert pick(DecisionInput(by="dana", request=name), open_requests) == told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choice", ALL_CHOICES)
def test_each_kind_takes_its_choices(kind: RequestKind, choice: Choice) -> None:
    """A choice fits a kind exactly if the contract says so."""
    found = misfit(DecisionInput(**fitting(choice, kind)), choice, a_request(kind), "ana")
    if choice in CHOICES[kind]:
        assert found is None
    else:
        assert found == f"a request of kind {kind} takes {' or '.join(CHOICES[kind])}, not {choice}"


@pytest.mark.parametrize("kind", sorted(ANSWERS))
@pytest.mark.parametrize("answer", ["", "happened ", "yes", "HAPPENED", "approve"])
def test_kinds_with_words_take_only_these(kind: RequestKind, answer: str) -> None:
    """An answer that is nearly a word is no word: what becomes of an effect is not guessed."""
    found = misfit(DecisionInput(by="dana", answer=answer), "answer", a_request(kind), None)
    assert found == f"the answer must be one of: {', '.join(ANSWERS[kind])}"


@pytest.mark.parametrize("by", ["ana", " ana", "Ana", "ANA "])
def test_nobody_approves_their_own_run(by: str) -> None:
    """The user of a run cannot approve its actions, however they write their name, but can reject them."""
    given_by = DecisionInput(by=by, reason="no")
    found = misfit(given_by, "approve", a_request(), "ana")
    assert found == "ana started this run and cannot approve its actions: somebody else must"
    assert misfit(given_by, "reject", a_request(), "ana") is None
    assert misfit(given_by, "approve", a_request(), None) is None
    assert misfit(given_by, "approve", a_request(), "anatol") is None


@pytest.mark.parametrize(
    "given_by,choice,kind,told",
    [
        ({"by": " "}, "approve", "approval", "say who decides, in `by`"),
        ({"by": "dana", "arguments": {}}, "reject", "approval", "arguments can be changed only with approve"),
        ({"by": "dana", "answer": " \n"}, "answer", "question", "the answer is empty"),
    ],
)
def test_what_is_missing_is_said(
    given_by: dict[str, Any], choice: Choice, kind: RequestKind, told: str
) -> None:
    """A decision without its author, its answer or its sense changes nothing."""
    assert misfit(DecisionInput(**given_by), choice, a_request(kind), None) == told


@given(
    st.builds(DecisionInput, by=texts, answer=texts, arguments=st.none() | st.just({"a": 1})),
    st.sampled_from(ALL_CHOICES),
    st.sampled_from(KINDS),
    st.none() | texts,
)
def test_what_fits_has_an_author_and_an_allowed_choice(
    decision: DecisionInput, choice: Choice, kind: RequestKind, user: str | None
) -> None:
    """Whatever is decided: nothing anonymous, nothing of another kind and no self-approval gets through."""
    if misfit(decision, choice, a_request(kind), user) is None:
        assert decision.by.strip()
        assert choice in CHOICES[kind]
        assert not (kind == "approval" and choice == "approve" and decision.by == user)
