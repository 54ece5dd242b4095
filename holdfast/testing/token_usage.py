"""Token counts as the real API would report them, near enough: four bytes a token, and a prompt cache.

The cache works as the API's does: tools, system and messages are one long text with breakpoints where
`cache_control` stands. What lies before a breakpoint is written once and read by every later request that starts
with the same blocks. A breakpoint looks back at most 20 blocks for something written earlier, so a step that adds
more than that misses the cache here as it would there. Entries never expire here, and there is no smallest size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.testing.answers import RawJson
from holdfast.testing.model_request import blocks_of

BYTES_PER_TOKEN = 4
_LOOKBACK = 20


@dataclass(frozen=True, slots=True)
class SpentTokens:
    """The sum of the usage of all answers of a server, those that were cut on the way included."""

    input: int = 0
    """Input tokens that came from no cache."""
    output: int = 0
    """Output tokens."""
    cache_read: int = 0
    """Input tokens read from the cache."""
    cache_write: int = 0
    """Input tokens written to the cache."""

    def plus(self, usage: Mapping[str, Any]) -> SpentTokens:
        """The sum with one more usage block; what it does not tell counts as 0."""
        return SpentTokens(
            input=self.input + (usage.get("input_tokens") or 0),
            output=self.output + (usage.get("output_tokens") or 0),
            cache_read=self.cache_read + (usage.get("cache_read_input_tokens") or 0),
            cache_write=self.cache_write + (usage.get("cache_creation_input_tokens") or 0),
        )


@dataclass(frozen=True, slots=True)
class _Block:
    size: int
    digest: bytes
    breakpoint: str | None  # its ttl


class PromptCache:
    """Remembers what was written, and counts the tokens of requests."""

    def __init__(self) -> None:
        """An empty cache."""
        self._written: set[bytes] = set()
        self._known: dict[int, tuple[Any, list[_Block]]] = {}

    def usage(self, body: Mapping[str, Any], content: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
        """The usage block of an answer with this `content` to the request `body`; remembers what it caches."""
        ends: list[int] = []
        prefixes: list[bytes] = []
        marks: list[tuple[int, str]] = []
        total, prefix = 0, str(body.get("model", "")).encode()
        for block in self._prompt(body):
            total += block.size
            prefix = hashlib.sha256(prefix + block.digest).digest()
            if block.breakpoint is not None:
                marks.append((len(ends), block.breakpoint))
            ends.append(total)
            prefixes.append(prefix)
        if isinstance(body.get("cache_control"), Mapping) and ends:
            marks.append((len(ends) - 1, body["cache_control"].get("ttl", "5m")))
        read = max((self._read_before(mark, prefixes, ends) for mark, _ in marks), default=0)
        marked = ends[marks[-1][0]] if marks else 0
        self._written.update(prefixes[mark] for mark, _ in marks)
        written = _tokens(max(0, marked - read))
        one_hour = bool(marks) and marks[-1][1] == "1h"
        return {
            "input_tokens": _tokens(total - marked) if marks else max(1, _tokens(total)),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": _tokens(read),
            "cache_creation": {
                "ephemeral_5m_input_tokens": 0 if one_hour else written,
                "ephemeral_1h_input_tokens": written if one_hour else 0,
            },
            "output_tokens": max(1, sum(_tokens(_size(block)) for block in content)),
            "service_tier": "standard",
        }

    def _read_before(self, mark: int, prefixes: list[bytes], ends: list[int]) -> int:
        for at in range(mark, max(-1, mark - _LOOKBACK - 1), -1):
            if prefixes[at] in self._written:
                return ends[at]
        return 0

    def _prompt(self, body: Mapping[str, Any]) -> Iterator[_Block]:
        for tool in body.get("tools") or ():
            yield from self._blocks(tool, [tool])
        system = {"content": body.get("system") or []}
        yield from (_block(block, "system") for block in blocks_of(system))
        for message in body.get("messages") or ():
            yield from self._blocks(message, blocks_of(message))

    def _blocks(self, part: Mapping[str, Any], blocks: list[dict[str, Any]]) -> list[_Block]:
        """The measured blocks of a tool or a message. A server keeps equal parts as one object: measured once."""
        known = self._known.get(id(part))
        if known is None:
            role = str(part.get("role", "tool"))
            known = self._known[id(part)] = (part, [_block(block, role) for block in blocks])
        return known[1]


def _block(block: Mapping[str, Any], role: str) -> _Block:
    control = block.get("cache_control")
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    text = json.dumps(bare, sort_keys=True).encode()
    ttl = str(control.get("ttl", "5m")) if isinstance(control, Mapping) else None
    return _Block(len(text), hashlib.sha256(role.encode() + text).digest(), ttl)


def _size(block: Mapping[str, Any]) -> int:
    given = block.get("input")
    if isinstance(given, RawJson):
        return len(given.text) + len(json.dumps({**block, "input": None}))
    return len(json.dumps(block))


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)
