"""Text of others within Markdown is shown as it was written, and says no more."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from policies.markdown import block, dollars, moment, quoted, span

COMMON_MARK = MarkdownIt("commonmark")
TEXTS = st.text(alphabet=st.one_of(st.sampled_from("`*_[]()<>#!$~ \n-1.|\\&"), st.characters()), max_size=60)


@given(TEXTS)
def test_a_span_is_code_and_nothing_else(text: str) -> None:
    """Whatever backticks it holds, a reader of Markdown finds one span of code between the words around it."""
    inline = COMMON_MARK.parseInline(f"a {span('x' + text + 'x')} b")[0].children
    assert inline is not None
    assert [token.type for token in inline] == ["text", "code_inline", "text"]


@given(TEXTS)
def test_a_block_ends_where_it_should(text: str) -> None:
    """Whatever fences it holds, a reader of Markdown finds one block of code, and then the text behind it."""
    tokens = COMMON_MARK.parse("\n".join([*block(text), "", "behind"]))
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]


@given(TEXTS)
def test_a_quoted_text_is_words(text: str) -> None:
    """It makes no emphasis, link, code or HTML, and stays on its line."""
    tokens = COMMON_MARK.parse(f"said: {quoted(text, 500)}")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    inline = tokens[1].children
    assert inline is not None
    assert {token.type for token in inline} <= {"text", "text_special"}


def test_money_is_no_formula_and_a_moment_is_short() -> None:
    """Two dollar signs in a paragraph would be a formula in the UI; milliseconds help nobody there."""
    assert dollars(Decimal("0.25")).startswith("\\$")
    assert moment("2026-11-21T03:12:44.120+00:00") == "2026-11-21 03:12 UTC"
