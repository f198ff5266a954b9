"""What a heartbeat tells of models that are tried."""

import math
from typing import Final

import msgspec

from forewarn.api.gateway_status import decoded
from forewarn.domain.errors import InvalidInput
from forewarn.domain.model_delivery import LATENCY_CLASSES, Tally

_MOST: Final = 1_000
_MOST_COUNT: Final = 1 << 53
_LATEST: Final = 253_402_300_800_000_000
_LONGEST_ID: Final = 200


class _Body(msgspec.Struct):
    models: list[Tally] = []


def told_tallies(body: bytes) -> list[Tally]:
    """Raises InvalidInput."""
    tallies = decoded(body, _Body).models
    if len(tallies) > _MOST or not all(map(_possible, tallies)):
        raise InvalidInput(
            f"models: at most {_MOST:,} counts of models, each within what can be counted", field="models"
        )
    return tallies


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
