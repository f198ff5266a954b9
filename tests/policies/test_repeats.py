"""Repeats against a plain count, one reading after the other, however the readings are cut into batches."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.readings import ReadingBatch
from forewarn.policies.repeats import Repeats, RepeatSettings
from forewarn.policies.runs import Runs

QUICK = RepeatSettings(chance=1e-2, headroom=2.0, least=2, learned=5)


class Plain:
    """One signal, counted by hand."""

    def __init__(self) -> None:
        self.current = self.seen = self.repeated = self.longest = 0

    def follow(self, equal: bool, counts: bool) -> float:
        length = self.current + 1 if equal else 0
        share = (self.repeated + 1) / (self.seen + 2)
        limit = max(math.log(QUICK.chance) / math.log(share), QUICK.headroom * self.longest, QUICK.least)
        ratio = 0.0 if self.seen < QUICK.learned or length * 2 <= QUICK.least else length / limit
        if not equal:
            self.seen += self.current + counts
            self.repeated += self.current
            self.longest = max(self.longest, self.current)
        self.current = length
        return ratio


row = st.tuples(st.integers(1, 3), st.sampled_from(["equal", "equal", "counts", "gap"]))


@settings(max_examples=200, deadline=None)
@given(batches=st.lists(st.lists(row, min_size=1, max_size=40), max_size=8))
def test_it_counts_as_by_hand(batches: list[list[tuple[int, str]]]) -> None:
    repeats, plain = Repeats(QUICK), {key: Plain() for key in (1, 2, 3)}
    repeats.resize(4)
    for rows in batches:
        rows = sorted(rows, key=lambda r: r[0])
        n = len(rows)
        signal = np.array([key for key, _ in rows], np.int32)
        batch = ReadingBatch(signal, np.arange(n, dtype=np.int64), np.zeros(n), np.zeros(n, np.uint32), "", 0)
        equal = np.array([what == "equal" for _, what in rows])
        counts = np.array([what == "counts" for _, what in rows])
        found = repeats.follow(Runs.of(batch), equal, counts)
        wanted = [plain[key].follow(what == "equal", what == "counts") for key, what in rows]
        np.testing.assert_allclose(found, wanted)
    for key, one in plain.items():
        assert (repeats.seen(key), repeats.longest(key)) == (one.seen, one.longest)
