"""What the gateway took against what the site has: row by row, by (signal, source time)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.series import Series


@dataclass(frozen=True, slots=True)
class Comparison:
    """Readings, each (signal, time) once. lost: taken and not at the site; changed: there with another value or
    quality; strange: at the site and never taken. examples: some of what is wrong, for people."""

    taken: int
    at_site: int
    lost: int
    changed: int
    strange: int
    examples: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return not (self.lost or self.changed or self.strange)


def compare(taken: Series, at_site: Series, names: Mapping[int, str]) -> Comparison:
    """Both under the keys of `names` (key -> id), in any order; a (signal, time) told twice counts as its last."""
    taken, at_site = _last_of_each(taken), _last_of_each(at_site)
    here, there = _identity(taken), _identity(at_site)
    lost, strange = ~np.isin(here, there), ~np.isin(there, here)
    both_here, both_there = np.flatnonzero(~lost), np.flatnonzero(~strange)
    differs = (taken.value[both_here].view(np.int64) != at_site.value[both_there].view(np.int64)) & ~(
        np.isnan(taken.value[both_here]) & np.isnan(at_site.value[both_there])
    )
    differs |= taken.quality[both_here] != at_site.quality[both_there]
    examples = [
        *_examples("lost", taken, np.flatnonzero(lost), names),
        *_examples("changed", taken, both_here[differs], names),
        *_examples("strange", at_site, np.flatnonzero(strange), names),
    ]
    counts = (int(lost.sum()), int(differs.sum()), int(strange.sum()))
    return Comparison(len(taken), len(at_site), *counts, tuple(examples))


def _last_of_each(series: Series) -> Series:
    """Ordered by (signal, time), each pair once."""
    order = np.lexsort((series.time, series.signal))
    signal, time = series.signal[order], series.time[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (signal[1:] != signal[:-1]) | (time[1:] != time[:-1])
    rows = order[last]
    return Series(series.signal[rows], series.time[rows], series.value[rows], series.quality[rows])


def _identity(series: Series) -> "NDArray[np.void]":
    pairs = np.empty(len(series), [("signal", np.int32), ("time", np.int64)])
    pairs["signal"], pairs["time"] = series.signal, series.time
    return pairs


def _examples(word: str, series: Series, rows: NDArray[np.intp], names: Mapping[int, str]) -> list[str]:
    return [
        f"{word}: {names.get(int(series.signal[row]), series.signal[row])} at {int(series.time[row])} = "
        f"{series.value[row]:g}"
        for row in rows[:3]
    ]
