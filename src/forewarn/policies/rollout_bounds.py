"""What a challenger must keep within, given its champion, and why one that does not must go."""

import math
from dataclasses import replace
from typing import Final

from forewarn.domain.rollouts import Bounds, Observed, RollbackReason, RolloutSettings

_LEAST_S: Final = 86_400.0
_SHORT_WEEKS: Final = 0.1
_SUMMED: Final = 10_000.0  # up to that mean the tail is summed; nobody waits for a million terms
_Fault = tuple[RollbackReason, str] | None


def find_fault(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    """Why it must go, worst first, and what was seen."""
    return (
        _too_many_errors(challenger, champion, settings)
        or _too_slow(challenger, champion, settings)
        or _too_silent(challenger, champion, settings)
        or _too_many_alarms(challenger, champion, settings)
    )


def bounds_of(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> Bounds | None:
    """What `find_fault` lets pass, in the time that was judged; None before enough was to tell a rate.

    alarms: the greatest count N with N <= 1, N <= mean, or P(Poisson(mean) >= N) >= settings.chance, where mean is the
    greater of settings.most_alarms an asset-week and settings.alarm_ratio times the champion's count, both in the time
    that the challenger was judged: what both tell of is a fault of the machine. alarms_per_week is N an asset-week, so
    that it comes down as more is judged: one alarm may always be chance.
    """
    alarms = _most_alarms(_allowed(challenger, champion, settings), settings.chance)
    a_week = replace(challenger, alarms=alarms).alarms_per_week
    if a_week is None:
        return None
    return Bounds(
        alarms=alarms,
        alarms_per_week=a_week,
        latency_ms=_most_latency_ms(champion, settings),
        errors=_most_errors(champion, settings),
        opinions=_least_opinions(champion, settings),
    )


def _too_many_errors(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    if challenger.errors <= _most_errors(champion, settings) * challenger.calls:
        return None
    usual = _usual_errors(champion)
    return RollbackReason.ERRORS, f"{challenger.errors:,} of {challenger.calls:,} calls failed (champion: {usual:.2%})"


def _too_slow(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    took = challenger.latency_ms
    if took is None or took <= _most_latency_ms(champion, settings):
        return None
    usual = _usual_latency_ms(champion)
    return RollbackReason.LATENCY, f"it takes {took:,.1f} ms at the 99th percentile (champion: {usual:,.1f} ms)"


def _too_silent(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    """A dead model raises no false alarm either. It is judged once it has scored as much as a step needs."""
    if champion is None or not challenger.rows or challenger.rows < settings.least_rows:
        return None
    share = challenger.opinions / challenger.rows
    if share >= _least_opinions(champion, settings):
        return None
    usual = champion.opinions / champion.rows
    return RollbackReason.SILENT, f"it has an opinion on {share:.0%} of the rows (champion: {usual:.0%})"


def _too_many_alarms(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    allowed = _allowed(challenger, champion, settings)
    if _is_chance(challenger.alarms, allowed, settings.chance):
        return None
    beside = "no champion" if champion is None else f"champion: {_alarms_in(champion)}"
    most = _most_alarms(allowed, settings.chance)
    return RollbackReason.ALARM_RATE, f"{_alarms_in(challenger)}, where {most:,} may be chance ({beside})"


def _usual_errors(champion: Observed | None) -> float:
    return champion.errors / champion.calls if champion is not None and champion.calls else 0.0


def _most_errors(champion: Observed | None, settings: RolloutSettings) -> float:
    return max(settings.most_errors, settings.error_ratio * _usual_errors(champion))


def _usual_latency_ms(champion: Observed | None) -> float:
    return champion.latency_ms if champion is not None and champion.latency_ms is not None else 0.0


def _most_latency_ms(champion: Observed | None, settings: RolloutSettings) -> float:
    return max(settings.most_latency_ms, settings.latency_ratio * _usual_latency_ms(champion))


def _least_opinions(champion: Observed | None, settings: RolloutSettings) -> float:
    if champion is None or not champion.rows:
        return 0.0
    return settings.least_opinions * (champion.opinions / champion.rows)


def _alarms_in(side: Observed) -> str:
    count = f"{side.alarms:,} alarm{'' if side.alarms == 1 else 's'}"
    if side.asset_weeks >= _SHORT_WEEKS:
        return f"{count} in {side.asset_weeks:.2f} asset-weeks"
    return f"{count} in {side.asset_s / 3_600:.1f} machine-hours"


def _allowed(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> float:
    """Alarms to be expected of a challenger that is just within bounds. A champion that was judged for less than a day
    has a count, and no rate yet that a challenger may have for longer."""
    own = settings.most_alarms * challenger.asset_weeks
    if champion is None or not challenger.asset_s:
        return own
    beside_s = max(champion.asset_s, min(challenger.asset_s, _LEAST_S))
    return max(own, settings.alarm_ratio * champion.alarms * (challenger.asset_s / beside_s))


def _is_chance(alarms: int, allowed: float, chance: float) -> bool:
    return alarms <= max(allowed, 1) or chance_of(alarms, allowed) >= chance


def _most_alarms(allowed: float, chance: float) -> int:
    """The greatest count that `_is_chance`."""
    within, step = max(math.floor(allowed), 1), 1
    while _is_chance(within + step, allowed, chance):
        within, step = within + step, 2 * step
    while step > 1:
        step //= 2
        if _is_chance(within + step, allowed, chance):
            within += step
    return within


def chance_of(count: int, mean: float) -> float:
    """P(N >= count) of a Poisson variable, summed upward from `count` so that small tails stay exact; of a mean over
    10,000 within a thousandth of itself around 0.001 (Wilson and Hilferty 1931)."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if mean > _SUMMED:
        return _chance_of_many(count, mean)
    if count <= mean:
        return 1.0 - sum(math.exp(_log_poisson(k, mean)) for k in range(count))
    total, k, term = 0.0, count, math.exp(_log_poisson(count, mean))
    while term > total * 1e-12:
        total, k = total + term, k + 1
        term *= mean / k
    return min(total, 1.0)


def _chance_of_many(count: int, mean: float) -> float:
    """N >= count is a gamma variable of that shape below the mean; its cube root is nearly normal."""
    z = 3 * math.sqrt(count) * (math.cbrt(mean / count) - 1 + 1 / (9 * count))
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _log_poisson(k: int, mean: float) -> float:
    return k * math.log(mean) - mean - math.lgamma(k + 1)
