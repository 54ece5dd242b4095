"""Large texts in pieces: nothing is lost between two pages, and nothing is longer than it may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.artifacts import ArtifactRef, cut_result, uncut
from policies.excerpts import excerpt, page_text, unknown_artifact

ID = "0123456789abcdef0123456789abcdef"


@given(st.text(min_size=1), st.integers(1, 50))
def test_pages_put_together_are_the_text(text: str, length: int) -> None:
    """Whatever the characters and the length of a page, each is whole and stands on one page."""
    data = text.replace("\x00", "").encode()
    ref = ArtifactRef(id=ID, bytes=len(data))
    pages, at = [], 0
    while at < len(data):
        page = page_text(ref, data[at : at + length + 3], at, length)
        head, body = page.split("\n", 1)
        pages.append(body)
        at = int(head.split(" to ")[1].split(" ")[0])
    assert "".join(pages) == data.decode()


@given(st.binary(min_size=1), st.integers(0, 300), st.integers(1, 50))
def test_bytes_that_are_no_text_have_pages_too(data: bytes, offset: int, length: int) -> None:
    """Any bytes at any place make a page, which goes on further than it began, and nothing raises."""
    ref = ArtifactRef(id=ID, bytes=len(data))
    page = page_text(ref, data[offset : offset + length + 3], offset, length)
    if offset >= len(data):
        assert "there is nothing" in page
    else:
        assert int(page.split(" to ")[1].split(" ")[0]) > offset


@given(st.text(min_size=1000, max_size=3000), st.integers(300, 900))
def test_an_excerpt_keeps_both_ends(text: str, limit: int) -> None:
    """It is no longer than it may be, begins and ends as the text does, and holds the note."""
    found = excerpt(text, limit, "The whole is elsewhere.")
    assert len(found) <= limit
    assert found[:50] == text[:50]
    assert found[-20:] == text[-20:]
    assert "The whole is elsewhere." in found


def test_a_note_is_kept_where_there_is_room_for_nothing_else() -> None:
    """With a limit of one character the reference is worth more than a character."""
    assert "artifact 1" in excerpt("x" * 100, 1, "The whole is artifact 1.")


def test_an_unknown_artifact_is_answered_with_those_that_exist() -> None:
    """The model is told the ids, where they are from, and how large they are."""
    known = [
        ArtifactRef(id=ID, bytes=2000, call="3.1"),
        ArtifactRef(id="f" * 32, bytes=10, name="log.txt"),
    ]
    assert unknown_artifact(ID, known) == ""
    told = unknown_artifact("nonsense", known)
    assert f"{'f' * 32} (attachment log.txt, 10 bytes), {ID} (result of call 3.1, 2,000 bytes)" in told


def test_a_cut_result_is_told_from_all_others() -> None:
    """Only the engine's own form is read as a cut result."""
    ref = ArtifactRef(id=ID, bytes=2000, call="3.1")
    assert uncut(cut_result("short", ref)) == ("short", ref)
    for other in ("text", None, [1], {"a": 1}, {"artifact": 1}):
        assert uncut(other) == (other, None)
