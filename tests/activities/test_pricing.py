"""What an answer cost: every token once, at its own price, and nothing that nobody can price is free."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.providers.pricing import usage_of
from holdfast.contracts.plans import Usage
from tests.strategies import json_values

SONNET = "claude-sonnet-4-5"
MILLION = 1_000_000


def cost_of(model: str = SONNET, **usage: Any) -> Decimal:
    """USD of an answer with this usage."""
    return usage_of("anthropic", model, usage).cost_usd


@pytest.mark.parametrize(
    "usage,usd",
    [
        ({"input_tokens": 1000}, "0.003"),
        ({"output_tokens": 1000}, "0.015"),
        ({"cache_read_input_tokens": 1000}, "0.0003"),
        ({"cache_creation_input_tokens": 1000}, "0.00375"),
        (
            {
                "cache_creation_input_tokens": 300,
                "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            },
            "0.001575",
        ),
        (
            {
                "input_tokens": 1000,
                "output_tokens": 1000,
                "cache_read_input_tokens": 1000,
                "iterations": [{"input_tokens": 1000, "output_tokens": 1000}],
            },
            "0.0183",
        ),
    ],
)
def test_each_kind_of_token_has_its_price_once(usage: dict[str, Any], usd: str) -> None:
    """Input, output, cache reads and writes of both durations; parts of a sum are not added to it."""
    assert cost_of(**usage) == Decimal(usd)


def test_a_dated_model_costs_what_the_model_costs() -> None:
    """Providers answer with the name of a snapshot."""
    assert cost_of("claude-sonnet-4-5-20250929", output_tokens=1000) == cost_of(output_tokens=1000)


def test_tokens_are_counted_as_the_provider_counts() -> None:
    """Input tokens are the ones neither read from nor written to the cache; the context is all of them."""
    usage = usage_of(
        "anthropic",
        SONNET,
        {
            "input_tokens": 10,
            "output_tokens": 20,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 40,
            "service_tier": "standard",
        },
    )
    assert (usage.input_tokens, usage.output_tokens) == (10, 20)
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (30, 40)
    assert (usage.context_tokens, usage.tokens) == (80, 100)
    assert (usage.model_calls, usage.unpriced) == (1, 0)


@pytest.mark.parametrize("model", ["claude-from-the-future-9", "gpt-x", "", "llama"])
def test_a_model_without_a_price_is_not_free(model: str) -> None:
    """Its tokens are counted, and that nobody knows their price."""
    usage = usage_of("anthropic", model, {"input_tokens": 1000, "output_tokens": 10})
    assert (usage.unpriced, usage.cost_usd, usage.tokens) == (1, Decimal(0), 1010)


@pytest.mark.parametrize(
    "usage", [{}, {"input_tokens": None}, {"input_tokens": "5"}, {"input_tokens": -5}, {"input_tokens": True}]
)
def test_an_answer_that_says_nothing_of_its_usage_is_not_free(usage: dict[str, Any]) -> None:
    """Without figures, or with figures that are none, the answer is unpriced."""
    assert usage_of("anthropic", SONNET, usage) == Usage(model_calls=1, unpriced=1)


FIGURES = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
OTHERS = ["cache_creation", "server_tool_use", "iterations", "service_tier", "from_the_future"]


@given(st.dictionaries(st.sampled_from(FIGURES + OTHERS), json_values | st.just(10**30)))
def test_every_usage_is_counted_somehow(usage: dict[str, Any]) -> None:
    """No usage that a provider may send makes a plan fail after it was paid for."""
    counted = usage_of("anthropic", SONNET, usage)
    assert counted.model_calls == 1
    assert counted.tokens >= 0
    assert counted.cost_usd >= 0
    assert counted.unpriced in (0, 1)


@given(st.lists(st.tuples(*[st.integers(0, MILLION)] * 4), min_size=1, max_size=5))
def test_costs_add_up(answers: list[tuple[int, int, int, int]]) -> None:
    """The usage of a run is the sum of its answers', and more tokens never cost less."""
    total, last = Usage(), Decimal(0)
    for figures in answers:
        total += usage_of("anthropic", SONNET, dict(zip(FIGURES, figures, strict=True)))
        assert total.cost_usd >= last
        last = total.cost_usd
    assert total.model_calls == len(answers)
    assert total.tokens == sum(map(sum, answers))
