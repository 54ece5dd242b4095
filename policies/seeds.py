"""The seed that Temporal gives to the first moments of an execution: another one tells that it was reset.

An execution hears of its reset by another seed. Where the very first workflow task is run again, that has come before
any of its code runs; then only comparing tells. Temporal derives the seed from the execution's run id by SipHash-1-3 and
keeps to that for good, since histories would not replay otherwise.
"""

_ALL = (1 << 64) - 1
_BEGIN = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def first_seed(execution: str) -> int:
    """The seed of an execution that was never reset, given its run id."""
    data = execution.encode() + b"\xff"  # so Rust hashes a text
    state = _BEGIN
    whole = len(data) // 8 * 8
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append((len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little"))
    for word in words:
        v0, v1, v2, v3 = state
        v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ word)
        state = (v0 ^ word, v1, v2, v3)
    v0, v1, v2, v3 = state
    v2 ^= 0xFF
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _ALL
    v1 = _turned(v1, 13) ^ v0
    v0 = _turned(v0, 32)
    v2 = (v2 + v3) & _ALL
    v3 = _turned(v3, 16) ^ v2
    v0 = (v0 + v3) & _ALL
    v3 = _turned(v3, 21) ^ v0
    v2 = (v2 + v1) & _ALL
    v1 = _turned(v1, 17) ^ v2
    v2 = _turned(v2, 32)
    return v0, v1, v2, v3


def _turned(word: int, by: int) -> int:
    return ((word << by) | (word >> (64 - by))) & _ALL
