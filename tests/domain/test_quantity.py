"""Numbers as people read them."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain import quantity
from forewarn.domain.quantity import shown


def test_docstring_examples_run() -> None:
    outcome = doctest.testmod(quantity)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0, "0"), (99.999, "100"), (-12.3456, "-12.35"), (1e-9, "1e-09"), (2e15, "2e+15")],
)
def test_edges(value: float, text: str) -> None:
    assert shown(value) == text


@given(value=st.floats(-1e9, 1e9), other=st.floats(-1e9, 1e9))
def test_a_text_is_near_its_number_and_unequal_numbers_can_be_told_apart(value: float, other: float) -> None:
    assert float(shown(value)) == pytest.approx(value, rel=6e-4)
    if abs(value - other) > 1e-9 * max(abs(value), abs(other)):
        assert shown(value, apart_from=other) != shown(other, apart_from=value)
