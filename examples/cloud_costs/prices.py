"""What an EC2 instance costs: on-demand list prices, in US dollars.

A price comes from the first of these that knows it; when none does, it is `None` and nobody guesses:

1. the JSON file named by `CLOUD_COSTS_PRICES`, `{"eu-central-1": {"m5.large": "0.115"}}` in dollars an hour,
   for negotiated prices and for accounts without access to the next two;
2. the table below, for Linux with shared tenancy;
3. AWS's own Price List API (permission `pricing:GetProducts`), for other types, regions and Windows.

The table holds AWS's public list prices (https://aws.amazon.com/ec2/pricing/on-demand/) as they stood in early
2025. It is approximate: AWS changes prices, and savings plans, reservations and credits are not in it. Nor are the disks:
a stopped instance still pays for its volumes, so the figures are the savings, not the whole bill.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from examples.cloud_costs.aws_client import price_list
from holdfast.errors import Fatal

_log = logging.getLogger(__name__)

HOURS_PER_MONTH = 730
"""AWS's own figure for a month: 365 days of 24 hours, divided by 12."""

OperatingSystem = Literal["Linux", "Windows"]

# Dollars an hour of the size `large`. In these families every other size costs in proportion.
_LARGE: dict[str, dict[str, str]] = {
    "us-east-1": {
        "t2": "0.0928", "t3": "0.0832", "t3a": "0.0752", "t4g": "0.0672",
        "m4": "0.1", "m5": "0.096", "m5a": "0.086", "m6i": "0.096", "m6a": "0.0864", "m6g": "0.077",
        "m7g": "0.0816", "m7i": "0.1008",
        "c4": "0.1", "c5": "0.085", "c5a": "0.077", "c6i": "0.085", "c6g": "0.068",
        "r4": "0.133", "r5": "0.126", "r5a": "0.113", "r6i": "0.126", "r6g": "0.1008",
        "i3": "0.156",
    },
    "eu-west-1": {
        "t2": "0.1008", "t3": "0.0912", "t3a": "0.0816", "t4g": "0.0736",
        "m4": "0.111", "m5": "0.107", "m5a": "0.096", "m6i": "0.107", "m6g": "0.086",
        "c4": "0.113", "c5": "0.096", "r4": "0.148", "r5": "0.141", "r5a": "0.127", "r6i": "0.141",
        "i3": "0.172",
    },
}  # fmt: skip

_TIMES_LARGE: dict[str, Decimal] = {
    "nano": Decimal(1) / 16,
    "micro": Decimal(1) / 8,
    "small": Decimal(1) / 4,
    "medium": Decimal(1) / 2,
    "large": Decimal(1),
    "xlarge": Decimal(2),
    **{f"{times}xlarge": Decimal(2 * times) for times in (2, 4, 8, 9, 10, 12, 16, 18, 24)},
}

# Families whose sizes are not in proportion.
_SINGLE: dict[str, dict[str, str]] = {
    "us-east-1": {
        "g4dn.xlarge": "0.526", "g4dn.2xlarge": "0.752", "g5.xlarge": "1.006", "g5.2xlarge": "1.212",
        "p3.2xlarge": "3.06",
    },
    "eu-west-1": {
        "g4dn.xlarge": "0.587", "g4dn.2xlarge": "0.838", "g5.xlarge": "1.123", "g5.2xlarge": "1.353",
        "p3.2xlarge": "3.305",
    },
}  # fmt: skip


def monthly_cost_usd(region: str, instance_type: str, system: OperatingSystem = "Linux") -> Decimal | None:
    """The on-demand price of one month (730 hours) without disks, in dollars and cents; None when unknown.

    Raises:
        Fatal: The file named by `CLOUD_COSTS_PRICES` cannot be read; its owner must mend it.
    """
    hourly = _from_file(region, instance_type) if system == "Linux" else None
    if hourly is None and system == "Linux":
        hourly = _from_table(region, instance_type)
    if hourly is None:
        hourly = _from_price_list(region, instance_type, system)
    return None if hourly is None else (hourly * HOURS_PER_MONTH).quantize(Decimal("0.01"))


def _from_table(region: str, instance_type: str) -> Decimal | None:
    single = _SINGLE.get(region, {}).get(instance_type)
    if single is not None:
        return Decimal(single)
    family, _, size = instance_type.partition(".")
    large, times = _LARGE.get(region, {}).get(family), _TIMES_LARGE.get(size)
    return None if large is None or times is None else Decimal(large) * times


def _from_file(region: str, instance_type: str) -> Decimal | None:
    path = os.environ.get("CLOUD_COSTS_PRICES")
    if not path:
        return None
    price = _read_prices(path, Path(path).stat().st_mtime if Path(path).is_file() else 0).get(region, {})
    return price.get(instance_type)


@functools.lru_cache(maxsize=4)
def _read_prices(path: str, _modified: float) -> dict[str, dict[str, Decimal]]:
    """The prices of the file; the time of its last change makes an edited file a new cache entry."""
    try:
        regions = json.loads(Path(path).read_text(encoding="utf-8"))
        return {
            region: {instance_type: Decimal(str(price)) for instance_type, price in prices.items()}
            for region, prices in regions.items()
        }
    except (OSError, ValueError, AttributeError, InvalidOperation) as error:
        raise Fatal(
            f"the price file {path} (CLOUD_COSTS_PRICES) cannot be used: {error}; it must look like "
            '{"eu-west-1": {"m5.large": "0.107"}}'
        ) from error


_ASK_AGAIN_SECONDS = 300.0

_known: dict[tuple[str, str, str], Decimal | None] = {}
"""What the Price List API has answered in this process, also that it knows no price."""

_unanswered: dict[tuple[str, str, str], float] = {}
"""When it could not be asked, so that an account of hundreds does not ask hundreds of times."""


def _from_price_list(region: str, instance_type: str, system: OperatingSystem) -> Decimal | None:
    asked = (region, instance_type, system)
    if asked in _known:
        return _known[asked]
    if time.monotonic() - _unanswered.get(asked, -_ASK_AGAIN_SECONDS) < _ASK_AGAIN_SECONDS:
        return None
    wanted = {
        "regionCode": region,
        "instanceType": instance_type,
        "operatingSystem": system,
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
    }
    try:
        pages = (
            price_list()
            .get_paginator("get_products")
            .paginate(
                ServiceCode="AmazonEC2",
                Filters=[
                    {"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()
                ],
            )
        )
        products = [json.loads(product) for page in pages for product in page["PriceList"]]
    except (BotoCoreError, ClientError) as error:
        # No permission, or no such service at the endpoint: the price is unknown, which is an answer here.
        _unanswered[asked] = time.monotonic()
        _log.info(
            "no price for %s in %s: the Price List API says %s", instance_type, region, str(error)[:200]
        )
        return None
    prices = {price for product in products for price in _hourly_prices(product)}
    _known[asked] = prices.pop() if len(prices) == 1 else None
    return _known[asked]


def _hourly_prices(product: dict[str, Any]) -> list[Decimal]:
    """Every on-demand price per hour in one product of the Price List API."""
    return [
        Decimal(dimension["pricePerUnit"]["USD"])
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term.get("priceDimensions", {}).values()
        if dimension.get("unit") == "Hrs" and "USD" in dimension.get("pricePerUnit", {})
    ]
