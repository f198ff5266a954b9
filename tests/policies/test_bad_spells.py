"""Bad quality as a level: rises while a signal is bad, falls half as fast while it is good."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.assets import Signal
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.bad_spells import BadSpells

SECOND = 1_000_000
TABLE = SignalTable.of(
    [Signal("a.x", "a", "x", "k", "u", key=1), Signal("a.y", "a", "y", "k", "u", key=2, rate_hz=0.1)]
)
NOT_BEFORE = np.zeros(TABLE.size, np.bool_)


def note(spells: BadSpells, key: int, bad: bool, second: int) -> None:
    spells.note(np.array([key], np.int32), np.array([bad]), second * SECOND)


def failing(spells: BadSpells, second: int, before: bool = False) -> list[bool]:
    held: list[bool] = spells.holds(second * SECOND, np.full(TABLE.size, before))[1:].tolist()
    return held


def test_a_slow_signal_has_ten_of_its_periods() -> None:
    spells = BadSpells()
    spells.configure(TABLE)
    for key in (1, 2):
        note(spells, key, True, 0)
    assert failing(spells, 30) == [False, False]
    assert failing(spells, 31) == [True, False]
    assert failing(spells, 101) == [True, True]


def test_long_badness_is_forgiven_as_soon_as_short() -> None:
    spells = BadSpells()
    spells.configure(TABLE)
    note(spells, 1, True, 0)
    note(spells, 1, False, 100_000)
    assert failing(spells, 100_059, before=True) == [True, False]
    assert failing(spells, 100_061, before=True) == [False, False]


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=30))
def test_the_level_is_the_clipped_sum_of_what_was_told(steps: list[tuple[bool, int]]) -> None:
    spells = BadSpells()
    spells.configure(TABLE)
    second, level, bad = 0, 0.0, False
    for turns_bad, lasts in steps:
        note(spells, 1, turns_bad, second)
        bad = turns_bad
        second += lasts
        level = min(max(level + (lasts if bad else -lasts / 2), 0.0), 45.0)
        assert failing(spells, second)[0] == (level > 30)
