"""Content hashes: of agents (their version), of arguments, and of the transcript (a hash chain)."""

import hashlib
import json

from holdfast.contracts.base import Json

EMPTY_CHAIN = "0" * 32
"""The digest of a transcript that holds nothing yet."""


def canonical(value: Json) -> bytes:
    """The one spelling of a JSON value: keys sorted, no spaces, UTF-8 (lone surrogates escaped)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii")


def digest(value: Json) -> str:
    """The first 32 hex digits (128 bits) of the SHA-256 of the value's canonical spelling."""
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


def chain(before: str, message: Json) -> str:
    """The digest of a transcript after `message`, given its digest `before`."""
    return hashlib.sha256(before.encode("ascii") + canonical(message)).hexdigest()[:32]
