"""What a heartbeat tells of models: of those that the gateway holds, and of those that are tried."""

import math
from typing import Final

import msgspec

from forewarn.api.gateway_status import decoded
from forewarn.domain.errors import InvalidInput
from forewarn.domain.model_delivery import LATENCY_CLASSES, HeldModels, Tally

_MOST: Final = 1_000
_MOST_COUNT: Final = 1 << 53
_LATEST: Final = 253_402_300_800_000_000
_LONGEST_ID: Final = 200
_MOST_MACHINES: Final = 10_000
_MOST_KEYS: Final = 64
_LONGEST_WORD: Final = 64


class _Body(msgspec.Struct):
    models: list[Tally] = []
    held: HeldModels | None = None


def told_models(body: bytes) -> tuple[list[Tally], HeldModels | None]:
    """None: nothing new of what it holds. Raises InvalidInput."""
    told = decoded(body, _Body)
    tallies, held = told.models, told.held
    if len(tallies) > _MOST or not all(map(_possible, tallies)):
        raise InvalidInput(
            f"models: at most {_MOST:,} counts of models, each within what can be counted", field="models"
        )
    if held is not None and not _is_bounded(held):
        raise InvalidInput(
            f"held: at most {_MOST_MACHINES:,} machines and {_MOST_KEYS} keys, ids of at most {_LONGEST_ID} characters",
            field="held",
        )
    return tallies, held


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
        and len(tally.latency) <= len(LATENCY_CLASSES) + 1
        and math.isfinite(tally.asset_s)
        and 0 <= tally.asset_s < _MOST_COUNT
    )
