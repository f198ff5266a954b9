"""Healthy spans never touch what was disturbed, and stretches never leave them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.model_versions import Span
from forewarn.policies.healthy_spans import healthy_spans, stretches

ONE = st.tuples(st.integers(0, 1000), st.integers(0, 100)).map(lambda s: Span(s[0], s[0] + s[1]))
SPANS = st.lists(ONE, max_size=8)


@given(SPANS, st.integers(0, 20), st.integers(0, 50))
def test_what_is_left_is_all_that_is_far_enough_from_a_disturbance(disturbed, margin, least):
    healthy = healthy_spans(100, 900, disturbed, margin, 1)
    minutes = {at for span in healthy for at in range(span.start, span.end)}
    near = {at for s in disturbed for at in range(s.start - margin, s.end + margin)}
    assert minutes == set(range(100, 900)) - near
    long_ones = healthy_spans(100, 900, disturbed, margin, least)
    assert long_ones == [s for s in healthy if s.end - s.start >= max(least, 1)]


@given(SPANS, st.integers(2, 60), st.integers(1, 10))
def test_stretches_are_spread_over_the_spans(disturbed, length, most):
    spans = healthy_spans(0, 1000, disturbed, 5, 10)
    found = stretches(spans, length, most)
    assert len(found) <= most
    assert all(any(s.start <= f.start < f.end <= s.end for s in spans) for f in found)
    assert all(length // 2 <= f.end - f.start <= length for f in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    if len(found) == most and most > 1 and len(spans) == 1:
        gaps = [b.start - a.start for a, b in itertools.pairwise(found)]
        assert max(gaps) - min(gaps) <= length
