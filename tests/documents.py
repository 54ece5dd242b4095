"""The repository's Markdown files, and what stands in them: fenced blocks, links, headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "examples", "bench")

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    file: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """The file that its first line names in a comment, such as `# refunds.py`; empty when it names none."""
        found = re.match(r"# ([\w./-]+\.\w+)\n", self.text)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def documents() -> list[Path]:
    """Every Markdown file that users read."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *found])


def name_of(path: Path) -> str:
    """The document's path in the repository."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[Block]:
    """The fenced blocks of one language, in order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(name_of(path), text.count("\n", 0, found.start()) + 2, found[1], found[2])
        for found in _FENCE.finditer(text)
        if found[1] == language
    ]


def all_blocks(*languages: str) -> list[Block]:
    """The fenced blocks of all documents in any of these languages."""
    return [block for path in documents() for language in languages for block in blocks(path, language)]


def links(path: Path) -> list[str]:
    """The targets of the links outside fenced blocks."""
    return _LINK.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))


def anchors(path: Path) -> set[str]:
    """The fragments by which the document's headings can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}
