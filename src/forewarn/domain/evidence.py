"""Why a trained model found something: what it saw, what it expected, of which signals, and by which model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contribution:
    """One signal's part in a finding. share: 0-1 of the whole. measured, expected: in `unit`, at the peak; None where
    nothing was measured, or nothing in particular was expected."""

    signal_id: str
    share: float
    measured: float | None
    expected: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A fault that would look like this. score: 0-1, how well it fits, not how likely it is. speaks_for,
    speaks_against: a sentence each, '' where there is nothing."""

    fault: str
    score: float
    speaks_for: str
    speaks_against: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """As at the peak of the episode.

    ratio: how far beyond the machine's own threshold, 1 = at it. threshold: in units of its healthy quantile.
    regime: number of the way the machine was run; regimes: how many are known of it. window_start, window_end: what
    the model looked at, microseconds UTC. members: each detector's own score over its own healthy quantile.
    contributions: greatest first. model: the artifact's name; '' for one that was never stored.
    """

    ratio: float
    threshold: float
    regime: int
    regimes: int
    window_start: int
    window_end: int
    members: tuple[tuple[str, float], ...] = ()
    contributions: tuple[Contribution, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    model: str = ""
