"""What a heartbeat tells of models: of those that the gateway holds, of those that are tried, and how they age."""

import math
from typing import Final

import msgspec

from forewarn.api.gateway_status import decoded
from forewarn.domain.errors import InvalidInput
from forewarn.domain.model_delivery import LATENCY_CLASSES, DriftNews, HeldModels, MachineDrift, Tally

_MOST: Final = 1_000
_MOST_COUNT: Final = 1 << 53
_LATEST: Final = 253_402_300_800_000_000
_LONGEST_ID: Final = 200
_MOST_MACHINES: Final = 10_000
_MOST_KEYS: Final = 64
_LONGEST_WORD: Final = 64
_MOST_SIGNALS: Final = 1_000


class _Body(msgspec.Struct):
    models: list[Tally] = []
    held: HeldModels | None = None
    drift: DriftNews | None = None


def told_models(body: bytes) -> tuple[list[Tally], HeldModels | None, DriftNews | None]:
    """None: nothing new of what it holds, or of how it drifts. Raises InvalidInput."""
    told = decoded(body, _Body)
    tallies, held, drift = told.models, told.held, told.drift
    if len(tallies) > _MOST or not all(map(_possible, tallies)):
        raise InvalidInput(
            f"models: at most {_MOST:,} counts of models, each within what can be counted", field="models"
        )
    if held is not None and not _is_bounded(held):
        raise InvalidInput(
            f"held: at most {_MOST_MACHINES:,} machines and {_MOST_KEYS} keys, ids of at most {_LONGEST_ID} characters",
            field="held",
        )
    if drift is not None and not _can_be(drift):
        raise InvalidInput(
            f"drift: at most {_MOST_MACHINES:,} machines of {_MOST_SIGNALS:,} signals, each figure within what it can "
            "be, over and usual both or neither",
            field="drift",
        )
    return tallies, held, drift


def _can_be(news: DriftNews) -> bool:
    return (
        0 <= news.since <= news.until < _MOST_COUNT
        and len(news.machines) <= _MOST_MACHINES
        and all(len(asset_id) <= _LONGEST_ID for asset_id in news.machines)
        and all(_is_drift(machine) for machine in news.machines.values() if machine is not None)
    )


def _is_drift(machine: MachineDrift) -> bool:
    figures = [f for pair in machine.signals.values() for f in pair]
    shares = [share for share in (machine.over, machine.usual) if share is not None]
    return (
        0 <= machine.at < _LATEST
        and len(machine.signals) <= _MOST_SIGNALS
        and all(len(signal_id) <= _LONGEST_ID for signal_id in machine.signals)
        and all(math.isfinite(figure) and figure >= 0 for figure in figures)
        and len(shares) != 1
        and all(0 <= share <= 1 for share in shares)
    )


def _is_bounded(held: HeldModels) -> bool:
    words = (held.name, held.revision, held.thresholds, *held.acting.values(), *held.refused.values(), *held.keys)
    assets = (*held.acting, *held.refused)
    return (
        max(len(held.acting), len(held.refused)) <= _MOST_MACHINES
        and len(held.keys) <= _MOST_KEYS
        and all(len(word) <= _LONGEST_WORD for word in words)
        and all(len(asset_id) <= _LONGEST_ID for asset_id in assets)
    )


def _possible(tally: Tally) -> bool:
    counts = (tally.rows, tally.opinions, tally.alarms, tally.calls, tally.errors, *tally.latency)
    return (
        0 < len(tally.rollout_id) <= _LONGEST_ID
        and "\0" not in tally.rollout_id
        and all(0 <= time < _LATEST for time in (tally.since, tally.run))
        and all(0 <= count < _MOST_COUNT for count in counts)
        and tally.opinions <= tally.rows
        and tally.errors <= tally.calls
        and len(tally.latency) <= len(LATENCY_CLASSES) + 1
        and math.isfinite(tally.asset_s)
        and 0 <= tally.asset_s < _MOST_COUNT
    )
