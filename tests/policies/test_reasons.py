"""A reason says something, and commands nobody's terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.policies.reasons import reason_of


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "\n\t", "\u00ad\u2060", "\u0301"])
def test_what_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="says nothing"):
        reason_of(text)


@pytest.mark.parametrize("text", ["a\x1b[31m", "a\0b", "a\x9bb", "a\rb", "a\x7fb", "a\ud800"])
def test_control_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        reason_of(text)


def test_lines_may_be_broken_and_two_thousand_characters_are_the_most() -> None:
    assert reason_of(" zu laut,\r\nसाथ में  ") == "zu laut,\nसाथ में"
    assert reason_of("x" * 2_000 + "\n") == "x" * 2_000
    with pytest.raises(ValueError, match="2,001 characters"):
        reason_of("x" * 2_001)


@given(st.text(max_size=30))
def test_what_is_taken_is_taken_again_as_it_is(text: str) -> None:
    try:
        taken = reason_of(text)
    except ValueError:
        return
    assert reason_of(taken) == taken
    assert all(c.isprintable() or c == "\n" or ord(c) > 0x9F for c in taken)
