"""Whether a new model deserves to be tried in the champion's place, by its card alone."""

from collections.abc import Mapping
from typing import Final

from forewarn.domain.model_versions import ModelCard

_MOST_ALARMS: Final = 1.5  # of the budget: the rate is an estimate
_MOST_OVER: Final = 0.01  # of healthy rows held back: one short episode among a few thousand rows says nothing
_OVER_RATIO: Final = 2.0
_SHIFT_RATIO: Final = 1.5  # the shifts that are tried lie a third to a half apart: one of them is no difference
_FEWER_FOUND: Final = 0.25  # of the signals


def weakness(card: ModelCard, champion: str, budget_per_week: float) -> str:
    """Why it is not rolled out by itself, in words; '' where nothing speaks against it. champion: id of the model that
    acts. It is compared with it where the card was: on the same rows, held back from the new one alone."""
    new, old = card.metrics, card.baseline if is_beside(card, champion) else {}
    return _alarms(new, budget_per_week) or _over(new, old) or _blinder(new, old)


def is_beside(card: ModelCard, champion: str) -> bool:
    """Whether the card's baseline is that champion's."""
    known = card.baseline_of.removeprefix("the champion ")
    return known != card.baseline_of and bool(known) and champion.startswith(known)


def _alarms(new: Mapping[str, float], budget: float) -> str:
    expected = new.get("alarms_per_week", 0.0)
    if expected <= _MOST_ALARMS * budget:
        return ""
    return f"{expected:.1f} false alarms a week are to be expected of it, where {budget:g} are the budget"


def _over(new: Mapping[str, float], old: Mapping[str, float]) -> str:
    over, usual = new.get("over_threshold", 0.0), old.get("over_threshold", 0.0)
    if not new.get("held_back_rows") or over <= max(_MOST_OVER, _OVER_RATIO * usual):
        return ""
    beside = f" (the champion: {usual:.1%})" if old else ""
    return f"{over:.1%} of the healthy rows held back are over its threshold{beside}"


def _blinder(new: Mapping[str, float], old: Mapping[str, float]) -> str:
    """shifts_found: 1 where the card does not say, as all cards of before it did."""
    if not new.get("held_back_rows") or "shift_median" not in old:
        return ""
    found, usual = new.get("shifts_found", 1.0), old.get("shifts_found", 1.0)
    if found < usual - _FEWER_FOUND:
        return f"it finds a lasting shift of {found:.0%} of the signals, the champion of {usual:.0%}"
    shift, before = new.get("shift_median", float("inf")), old["shift_median"]
    if shift <= _SHIFT_RATIO * before:
        return ""
    return f"the smallest shift it finds is {shift:g} healthy spreads (median of signals), the champion's {before:g}"
