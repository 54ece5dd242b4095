"""Which instances the agent must leave alone: a decision on names and tags, as real accounts write them.

Pure functions. In doubt the answer is never "go ahead": what looks like production or critical in any tag is
protected, and what does not say where it belongs is for a human to decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

Level = Literal["protected", "unknown", "open"]
"""`protected`: never touched. `unknown`: a human decides. `open`: known not to be production."""


class Protection(NamedTuple):
    """What an instance's name and tags say, and which of them said it."""

    level: Level
    why: str


_ENVIRONMENT_KEYS = frozenset(
    {"env", "environment", "stage", "tier", "envtype", "environmenttype", "deployenv"}
)
_CRITICAL_KEYS = frozenset(
    {
        "critical",
        "criticality",
        "businesscritical",
        "businesscriticality",
        "missioncritical",
        "importance",
        "donotstop",
        "donottouch",
        "protected",
        "keep",
    }
)
_PRODUCTION = frozenset(
    {"prod", "production", "prd", "live", "critical", "missioncritical", "businesscritical"}
)
_NOT_PRODUCTION = frozenset(
    {
        "ci",
        "demo",
        "dev",
        "devel",
        "development",
        "experiment",
        "experimental",
        "integration",
        "lab",
        "nonprod",
        "nonproduction",
        "perf",
        "playground",
        "poc",
        "preprod",
        "preproduction",
        "qa",
        "sandbox",
        "scratch",
        "staging",
        "stg",
        "test",
        "testing",
        "tst",
        "uat",
    }
)
_TOP_TIERS = frozenset({"0", "1", "t0", "t1", "tier0", "tier1"})
_NOT_CRITICAL = frozenset({"", "0", "false", "low", "medium", "n", "no", "none", "normal"})


def protection(tags: Mapping[str, str]) -> Protection:
    """What the tags, among them `Name`, say of an instance."""
    environments: list[str] = []
    for key, value in tags.items():
        name, said = _plain(re.split(r"[:/]", key)[-1]), _plain(value)
        shown = f"tag {key}={value}"[:120]
        if said in _PRODUCTION or (name == "tier" and said in _TOP_TIERS):
            return Protection("protected", shown)
        if name in _CRITICAL_KEYS and said not in _NOT_CRITICAL:
            return Protection("protected", shown)
        if (name in _ENVIRONMENT_KEYS or name == "name") and _mentions_production(value):
            return Protection("protected", shown)
        if name in _ENVIRONMENT_KEYS and said:
            environments.append(shown if said in _NOT_PRODUCTION else "")
    if environments and all(environments):
        return Protection("open", environments[0])
    if environments:
        return Protection("unknown", "its environment tag has a value that is not known")
    return Protection("unknown", "no tag says which environment it belongs to")


def _plain(text: str) -> str:
    return re.sub(r"[\s_\-.]+", "", text).casefold()


def _mentions_production(text: str) -> bool:
    """Whether one word of the text means production: `prod-db`, `eu_PROD_3`; but not `non-prod`, `preprod`."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", text).casefold())
    for before, word in zip(["", *words], words, strict=False):
        if re.fullmatch(r"(prod|production|prd)\d*", word) and before not in {"non", "pre", "not"}:
            return True
    return False
