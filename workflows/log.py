"""Lists that only grow, of which an execution of a run holds the end: the rest has been archived."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Log(Sequence[T], Generic[T]):
    """What a run has noted, in order. `len` counts everything that ever was; what iterates is what is held here.

    Positions are those of the whole list. Asking for an item that is archived raises IndexError; of a slice the
    archived items are left out.
    """

    def __init__(self, held: Iterable[T] = (), total: int | None = None) -> None:
        self.held = list(held)
        self._dropped = 0 if total is None else total - len(self.held)

    @property
    def start(self) -> int:
        """The position of the first item that is held."""
        return self._dropped

    def append(self, item: T) -> None:
        """Add an item at the end."""
        self.held.append(item)

    def drop(self, start: int) -> None:
        """Hold only what is at `start` and behind."""
        count = max(0, min(start, len(self)) - self._dropped)
        del self.held[:count]
        self._dropped += count

    def cut(self, stop: int) -> None:
        """Forget what is at `stop` and behind, which must be held."""
        del self.held[stop - self._dropped :]

    def __len__(self) -> int:
        return self._dropped + len(self.held)

    def __iter__(self) -> Iterator[T]:
        return iter(self.held)

    def __reversed__(self) -> Iterator[T]:
        return reversed(self.held)

    def __contains__(self, item: object) -> bool:
        return item in self.held

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Log):
            return (self.start, self.held) == (other.start, other.held)
        return self.start == 0 and self.held == other

    __hash__ = None  # type: ignore[assignment]  # as of any list

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> list[T]: ...

    def __getitem__(self, at: int | slice) -> T | list[T]:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            first = max(0, start - self._dropped)
            return self.held[first : max(first, stop - self._dropped) : step]
        index = (at if at >= 0 else at + len(self)) - self._dropped
        if index < 0:
            raise IndexError(f"item {at} is archived")
        return self.held[index]
