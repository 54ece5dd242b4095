"""Reads the JSON body of a request as strictly as the real API does, and keeps equal parts only once."""

from __future__ import annotations

import hashlib
import json
import marshal
import re
from typing import Any

_LONE_SURROGATE = re.compile(
    r"(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a low one without its high one
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
)


class BodyReader:
    """Reads bodies. Tools and messages that are equal become one object across all bodies.

    Each request of a run repeats the transcript of the one before: kept apart, the requests of a thousand steps
    would take gigabytes; shared, they take what the last one takes.
    """

    def __init__(self) -> None:
        """Has seen nothing yet."""
        self._parts: dict[bytes, Any] = {}

    def read(self, raw: bytes) -> tuple[dict[str, Any], str | None]:
        """The body and None, or an empty body and what is wrong with it, in the API's words."""
        try:
            text = raw.decode()
            body = json.loads(text, parse_constant=_refuse_constant)
            if (lone := _LONE_SURROGATE.search(text)) and not _encodes(body):
                place = f"line 1 column {lone.start() + 1} (char {lone.start()})"
                return {}, f"The request body is not valid JSON: no low surrogate in string: {place}"
            if not isinstance(body, dict):
                return {}, "Input should be a valid dictionary"
            for name in ("tools", "messages"):
                if isinstance(body.get(name), list):
                    body[name] = [self._shared(part) for part in body[name]]
        except RecursionError:
            return {}, "The request body is not valid JSON: nested too deeply"
        except ValueError as error:
            return {}, f"The request body is not valid JSON: {error}"
        return body, None

    def _shared(self, part: Any) -> Any:
        # Version 2 of the format has no references between objects: equal values give equal bytes.
        key = hashlib.sha256(marshal.dumps(part, 2)).digest()
        return self._parts.setdefault(key, part)


def _encodes(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")
