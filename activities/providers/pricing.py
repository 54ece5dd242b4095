"""What an answer cost, by the prices of the `genai-prices` package (bundled, no network)."""

from decimal import ROUND_UP, Decimal
from typing import Any

import genai_prices
from genai_prices import extract_usage

from holdfast.contracts.base import JsonObject
from holdfast.contracts.plans import Usage

_CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens")


BYTES_PER_TOKEN = 2
"""A token of a request is rarely shorter than three bytes: with two its tokens are overestimated, as is meant."""

Prices = tuple[Decimal, Decimal] | None
"""USD for a million tokens of input and of output, as an author gave them."""


def worst_case(
    provider: str, model: str, *, request_bytes: int, max_tokens: int, prices: Prices = None
) -> Decimal | None:
    """The most that a request may cost: nothing of it cached before, and the longest answer. None: nobody knows."""
    tokens = -(-request_bytes // BYTES_PER_TOKEN)
    if prices is not None:
        return _priced(prices, tokens, max_tokens)
    plain = genai_prices.Usage(input_tokens=tokens, output_tokens=max_tokens)
    to_cache = genai_prices.Usage(input_tokens=tokens, cache_write_tokens=tokens, output_tokens=max_tokens)
    try:
        costs = [
            genai_prices.calc_price(usage, model, provider_id=provider).total_price
            for usage in (plain, to_cache)
        ]
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError):
        return None
    return max(costs).quantize(Decimal("0.000001"), rounding=ROUND_UP)


def affordable_tokens(
    provider: str, model: str, *, request_bytes: int, max_tokens: int, usd: Decimal, prices: Prices = None
) -> int:
    """How long an answer may be so that the request costs at most so much; at most `max_tokens`, and perhaps 0."""
    none, most = (
        worst_case(provider, model, request_bytes=request_bytes, max_tokens=tokens, prices=prices)
        for tokens in (0, max_tokens)
    )
    if none is None or most is None or most <= usd:
        return max_tokens
    if none >= usd:
        return 0
    return max(0, int((usd - none) / (most - none) * max_tokens) - 1)


def _priced(prices: tuple[Decimal, Decimal], tokens_in: int, tokens_out: int) -> Decimal:
    return ((prices[0] * tokens_in + prices[1] * tokens_out) / 1_000_000).quantize(
        Decimal("0.000001"), rounding=ROUND_UP
    )


def usage_of(provider: str, model: str, usage: JsonObject, prices: Prices = None) -> Usage:
    """Tokens and USD of one answer. What nobody can price is counted as unpriced, never as free.

    That is an unknown model, usage of an unknown form, and an answer that says nothing of its usage.
    """
    cost, unpriced = _cost(provider, model, usage, prices)
    return Usage(
        input_tokens=_count(usage, "input_tokens"),
        output_tokens=_count(usage, "output_tokens"),
        cache_read_tokens=_count(usage, "cache_read_input_tokens"),
        cache_write_tokens=_count(usage, "cache_creation_input_tokens"),
        cost_usd=cost,
        model_calls=1,
        unpriced=unpriced,
    )


def _cost(provider: str, model: str, usage: JsonObject, prices: Prices) -> tuple[Decimal, int]:
    if not any(_count(usage, key) for key in ("input_tokens", "output_tokens", *_CACHED)):
        return Decimal(0), 1
    if prices is not None:
        tokens_in = sum(_count(usage, key) for key in ("input_tokens", *_CACHED))
        try:
            return _priced(prices, tokens_in, _count(usage, "output_tokens")), 0
        except ArithmeticError:
            return Decimal(0), 1
    complete = {"input_tokens": 0, "output_tokens": 0, **usage}
    try:
        found = extract_usage({"model": model, "usage": complete}, provider_id=provider)
        return found.calc_price().total_price.quantize(Decimal("0.000001")), 0
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError):
        return Decimal(0), 1


def _count(usage: JsonObject, key: str) -> int:
    value: Any = usage.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
