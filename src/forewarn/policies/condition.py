"""Does a rule's condition hold? Deadband, on-delay and off-delay in source time; pure."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.alarms import AlarmRule, Condition
from forewarn.policies.runs import since_last

Flags = NDArray[np.bool_]
Times = NDArray[np.int64]
Values = NDArray[np.float64]
_US: Final = 1e6


@dataclass(frozen=True, slots=True)
class Holding:
    """What a rule's timers remember. active: the delayed condition; raw: the condition at the last reading;
    since: source time since when raw differs from active, None when it does not."""

    active: bool = False
    raw: bool = False
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """The delayed condition changed, confirmed by the reading at `at` with `value`."""

    active: bool
    at: int
    value: float


def raw_condition(rule: AlarmRule, before: bool, value: Values) -> Flags:
    """True over the threshold (strictly), False once back by more than the deadband, between them as before."""
    if rule.condition is Condition.ABOVE:
        holds, gone = value > rule.threshold, value <= rule.threshold - rule.deadband
    else:
        holds, gone = value < rule.threshold, value >= rule.threshold + rule.deadband
    decided = holds | gone
    newest = since_last(np.r_[True, decided])
    states: Flags = np.r_[before, holds][newest][1:]
    return states


def advance(rule: AlarmRule, holding: Holding, time: Times, value: Values, raw: Flags) -> tuple[Holding, list[Flip]]:
    """Run the delays over readings in order of time. Walks changes of `raw`, not readings."""
    if not len(time):
        return holding, []
    flips: list[Flip] = []
    active, since = holding.active, holding.since
    begins = np.flatnonzero(np.r_[True, raw[1:] != raw[:-1]])
    for begin, end in zip(begins, np.r_[begins[1:], len(raw)], strict=True):
        if bool(raw[begin]) == active:
            since = None
            continue
        since = int(time[begin]) if since is None else since
        delay = (rule.off_delay_s if active else rule.on_delay_s) * _US
        ripe = int(begin + np.searchsorted(time[begin:end], since + int(delay)))
        if ripe < end:
            active, since = not active, None
            flips.append(Flip(active, int(time[ripe]), float(value[ripe])))
    return Holding(active, bool(raw[-1]), since), flips


def recall(rule: AlarmRule, active: bool, time: Times, value: Values, allowed: Flags) -> Holding:
    """The timers as they stand after past readings that changed nothing: takes up a delay that was running.

    time, value: oldest first, at least the rule's delay of them. allowed: where an only_running rule may be raised."""
    if not len(time):
        return Holding(active=active, raw=active)
    raw = raw_condition(rule, active, value)
    if rule.only_running and not active:
        raw &= allowed
    same = np.flatnonzero(raw == active)
    begin = int(same[-1]) + 1 if len(same) else 0
    return Holding(active, bool(raw[-1]), int(time[begin]) if begin < len(time) else None)
