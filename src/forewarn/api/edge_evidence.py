"""The evidence of a finding as a gateway tells it: bounded, and of the machine that the finding is of."""

import math
from typing import Final

import msgspec

from forewarn.domain.evidence import Contribution, Evidence, Hypothesis
from forewarn.domain.signal_table import SignalTable

_MOST: Final = 50
_LONGEST: Final = 300
_MOST_BYTES: Final = 200_000
_LATEST: Final = 253_402_300_800_000_000


class _Part(msgspec.Struct):
    signal_id: str
    share: float | None
    measured: float | None
    expected: float | None
    unit: str


class _Fault(msgspec.Struct):
    fault: str
    score: float | None
    speaks_for: str = ""
    speaks_against: str = ""


class _Told(msgspec.Struct):
    """`Evidence`; a number that is none is null in JSON."""

    ratio: float
    threshold: float
    regime: int
    regimes: int
    window_start: int
    window_end: int
    members: list[tuple[str, float | None]] = []
    contributions: list[_Part] = []
    hypotheses: list[_Fault] = []
    model: str = ""


def told_evidence(told: bytes, table: SignalTable, asset_id: str) -> Evidence | None:
    """None where there is none, or none that can be read: the finding stands without it. Texts are cut, and no list has
    more than 50 rows; signals of other machines are left out."""
    if told == b"null" or len(told) > _MOST_BYTES:
        return None
    try:
        read = msgspec.json.decode(told, type=_Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    times = (read.window_start, read.window_end)
    if not all(map(math.isfinite, (read.ratio, read.threshold))) or not all(0 <= t < _LATEST for t in times):
        return None
    return Evidence(
        ratio=read.ratio,
        threshold=read.threshold,
        regime=_small(read.regime),
        regimes=_small(read.regimes),
        window_start=read.window_start,
        window_end=read.window_end,
        members=tuple((_text(name), r) for name, r in read.members[:_MOST] if r is not None and math.isfinite(r)),
        contributions=tuple(_part(part) for part in read.contributions[:_MOST] if _of(part, table, asset_id)),
        hypotheses=tuple(_fault(fault) for fault in read.hypotheses[:_MOST] if _finite(fault.score) is not None),
        model=_text(read.model),
    )


def _of(part: _Part, table: SignalTable, asset_id: str) -> bool:
    key = table.key_of.get(part.signal_id, 0)
    signal = table.signals[key] if key else None
    return signal is not None and signal.asset_id == asset_id


def _part(part: _Part) -> Contribution:
    share = min(max(_finite(part.share) or 0.0, 0.0), 1.0)
    return Contribution(part.signal_id, share, _finite(part.measured), _finite(part.expected), _text(part.unit))


def _fault(fault: _Fault) -> Hypothesis:
    score = min(max(fault.score or 0.0, 0.0), 1.0)
    return Hypothesis(_text(fault.fault), score, _text(fault.speaks_for), _text(fault.speaks_against))


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _small(number: int) -> int:
    return min(max(number, 0), 1_000)


def _text(given: str) -> str:
    return "".join(c for c in given[:_LONGEST] if c.isprintable())
