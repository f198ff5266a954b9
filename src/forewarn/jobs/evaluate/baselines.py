"""Alarms that know no sensor: how much of a figure is in the data set rather than in a detector."""

from typing import Final

import numpy as np

from forewarn.policies.detection_metrics import Flags

DRAWS: Final = 200


def always(rows: int) -> Flags:
    return np.ones(rows, bool)


def from_row(rows: int, first: int) -> Flags:
    """Set off by the clock."""
    return np.arange(rows) >= first


def at_random(rows: int, share: float, rng: np.random.Generator) -> Flags:
    """Each row by itself."""
    return rng.random(rows) < share


def as_many_at_random(alarm: Flags, begin: int, rng: np.random.Generator) -> Flags:
    """As many rows as `alarm` has from row `begin` on, anywhere from there on."""
    rows, told = len(alarm) - begin, int(alarm[begin:].sum())
    out = np.zeros(len(alarm), bool)
    out[begin + rng.choice(rows, told, replace=False)] = True
    return out
