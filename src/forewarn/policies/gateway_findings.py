"""What a gateway's conditions mean for the machines behind it: findings of the detector `gateway`."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.findings import BY_CONDITION, BY_EDGE, Finding
from forewarn.kit.clock import SECOND
from forewarn.policies.severity import severity_of

# What is over sooner is a flap, and stands in the gateway's journal alone.
LEAST_US: Final = 10 * SECOND
MOST_ASSETS: Final = 20
_LONGEST_TEXT: Final = 400
_LOW, _MEDIUM, _HIGH = 0.55, 0.7, 0.85
# Peak scores by code, by which `severity_of` finds low, medium and high: readings are doubtful, missing, or lost for
# good. What is not here does not touch the readings, or only keeps them waiting.
SCORES: Final[Mapping[ConditionCode, float]] = {
    ConditionCode.UNREACHABLE: _MEDIUM,
    ConditionCode.SILENT: _MEDIUM,
    ConditionCode.MISCONFIGURED: _MEDIUM,
    ConditionCode.CREDENTIALS_REFUSED: _MEDIUM,
    ConditionCode.CERTIFICATE_EXPIRED: _MEDIUM,
    ConditionCode.CERTIFICATE_UNTRUSTED: _MEDIUM,
    ConditionCode.CERTIFICATE_CHANGED: _MEDIUM,
    ConditionCode.UNKNOWN_ADDRESS: _MEDIUM,
    ConditionCode.WRONG_TYPE: _MEDIUM,
    ConditionCode.NOT_A_NUMBER: _LOW,
    ConditionCode.NONSENSE: _MEDIUM,
    ConditionCode.OVERRUN: _LOW,
    ConditionCode.CLOCK_WRONG: _MEDIUM,
    ConditionCode.READINGS_REJECTED: _MEDIUM,
    ConditionCode.DISK_FULL: _HIGH,
    ConditionCode.DISK_READ_ONLY: _HIGH,
    ConditionCode.BUFFER_FULL: _HIGH,
    ConditionCode.BUFFER_DAMAGED: _HIGH,
    ConditionCode.FAILED: _MEDIUM,
}
_NAMING: Final = frozenset(
    {
        ConditionCode.UNKNOWN_ADDRESS,
        ConditionCode.WRONG_TYPE,
        ConditionCode.NOT_A_NUMBER,
        ConditionCode.READINGS_REJECTED,
    }
)


@dataclass(frozen=True, slots=True)
class Behind:
    """What lies behind one gateway. signals: of its table, in the plant's order. strangers: ids of its table that the
    plant does not have. sources: their names."""

    gateway: str
    signals: Sequence[Signal]
    strangers: Sequence[str] = ()
    sources: frozenset[str] = frozenset()


def touches(condition: GatewayCondition) -> bool:
    """Whether it says something of the readings."""
    return condition.code in SCORES


def lasted(condition: GatewayCondition, until: int) -> bool:
    """until: microseconds UTC, by the clock that says `since`."""
    return until - condition.since >= LEAST_US


def names_signals(code: ConditionCode) -> bool:
    """Its text says which signals it is about, where that is known; another text may name others."""
    return code in _NAMING


def findings_of(condition: GatewayCondition, behind: Behind, ended_at: int | None = None) -> list[Finding]:
    """One an asset, on its first signal concerned, at most 20; none for what does not touch the readings.

    ended_at: microseconds UTC, None while it holds."""
    score = SCORES.get(condition.code)
    concerned = _concerned(condition, behind) if score is not None else ()
    firsts = {signal.asset_id: signal for signal in reversed(concerned)}
    order = list(dict.fromkeys(signal.asset_id for signal in concerned))
    reason = _reason(condition, behind, len(concerned), len(order))
    last_at = max(condition.since, condition.last_at)
    return [
        Finding(
            signal_key=firsts[asset].key,
            signal_id=firsts[asset].id,
            asset_id=asset,
            detector=BY_CONDITION,
            anomaly_type=condition.code.value,
            severity=severity_of(score or 0.0),
            score=score or 0.0,
            value=math.nan,
            expected=None,
            reason=reason,
            started_at=condition.since,
            last_at=last_at,
            ended_at=None if ended_at is None else max(ended_at, last_at),
            count=condition.count,
            detected_by=BY_EDGE,
        )
        for asset in order[:MOST_ASSETS]
    ]


def is_of(finding: Finding, gateway: str) -> bool:
    """Whether it came of a condition of this gateway, or of one of its sources."""
    return finding.detector == BY_CONDITION and finding.reason.startswith(
        (f"gateway {gateway}: ", f"gateway {gateway}, ")
    )


def comes_of(finding: Finding, gateway: str, code: ConditionCode, subject: str) -> bool:
    """Whether it came of a condition of this code and subject, whenever that began."""
    return (
        finding.detector == BY_CONDITION
        and finding.anomaly_type == code.value
        and finding.reason.startswith(tuple(f"{origin}: " for origin in _origins(gateway, subject)))
    )


def _origins(gateway: str, subject: str) -> tuple[str, ...]:
    if not subject:
        return (f"gateway {gateway}",)
    return tuple(f"gateway {gateway}, {kind} {subject}" for kind in ("source", "output"))


def _concerned(condition: GatewayCondition, behind: Behind) -> Sequence[Signal]:
    mine = [s for s in behind.signals if condition.subject and _is_from(s, condition.subject)] or behind.signals
    if condition.code in _NAMING:
        if named := [s for s in mine if _names(condition.text, s)]:
            return named
        if any(_says(condition.text, name) for name in behind.strangers):
            return mine[:1]  # no machine here has what it is about
    return mine


def _is_from(signal: Signal, source: str) -> bool:
    """A site's plant calls a gateway's source `<gateway>/<source>`, where of a pair it is either's name."""
    return signal.source is not None and (signal.source == source or signal.source.endswith(f"/{source}"))


def _names(text: str, signal: Signal) -> bool:
    return _says(text, signal.id) or (bool(signal.address) and _quotes(text, signal.address or ""))


def _says(text: str, word: str) -> bool:
    """As a word of its own: `p1.a` is not in `p1.ab`, `p1.a.b` or `up1.a`, but in `p1.a.` at a sentence's end."""
    return word in text and re.search(rf"(?<![\w.]){re.escape(word)}(?!\w|\.\w)", text) is not None


def _quotes(text: str, address: str) -> bool:
    """An address may be as short as `3`: only one in quotes is meant."""
    return address in text and any(f"{quote}{address}{quote}" in text for quote in ("'", '"'))


def _reason(condition: GatewayCondition, behind: Behind, signals: int, assets: int) -> str:
    kind = not condition.subject or condition.subject in behind.sources
    origin = _origins(behind.gateway, condition.subject)[0 if kind else 1]
    told = " ".join("".join(c if c.isprintable() else " " for c in condition.text).split())
    told = told if len(told) <= _LONGEST_TEXT else f"{told[: _LONGEST_TEXT - 1]}…"
    return " ".join(_sentences(f"{origin}: {told.rstrip('.')}", signals, assets, condition.remedy))


def _sentences(told: str, signals: int, assets: int, remedy: str) -> Iterator[str]:
    of_assets = "1 machine" if assets == 1 else f"{assets:,} machines"
    more = f"; {assets - MOST_ASSETS:,} of them are not told of one by one" if assets > MOST_ASSETS else ""
    yield f"{told} (concerns {'1 signal' if signals == 1 else f'{signals:,} signals'} of {of_assets}{more})."
    if remedy:
        yield remedy
