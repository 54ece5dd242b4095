"""What an answer cost, by the prices of the `genai-prices` package (bundled, no network)."""

from decimal import Decimal
from typing import Any

from genai_prices import extract_usage

from holdfast.contracts.base import JsonObject
from holdfast.contracts.plans import Usage

_CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens")


def usage_of(provider: str, model: str, usage: JsonObject) -> Usage:
    """Tokens and USD of one answer. What nobody can price is counted as unpriced, never as free.

    That is an unknown model, usage of an unknown form, and an answer that says nothing of its usage.
    """
    cost, unpriced = _cost(provider, model, usage)
    return Usage(
        input_tokens=_count(usage, "input_tokens"),
        output_tokens=_count(usage, "output_tokens"),
        cache_read_tokens=_count(usage, "cache_read_input_tokens"),
        cache_write_tokens=_count(usage, "cache_creation_input_tokens"),
        cost_usd=cost,
        model_calls=1,
        unpriced=unpriced,
    )


def _cost(provider: str, model: str, usage: JsonObject) -> tuple[Decimal, int]:
    if not any(_count(usage, key) for key in ("input_tokens", "output_tokens", *_CACHED)):
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
