"""Which machine first: an asset's condition, the reason in one sentence, and the order of the worklist."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from forewarn.domain.alarms import AlarmRule, AlarmState, AlarmStatus, Priority
from forewarn.domain.findings import BY_CONDITION, Finding


class AssetCondition(StrEnum):
    """Most urgent first."""

    CRITICAL = "critical"
    ALARM = "alarm"
    ADVISORY = "advisory"
    STALE = "stale"
    BASELINING = "baselining"
    NORMAL = "normal"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """What is known of one asset.

    alarms: rules with their standing, in any order. episodes: findings that still last.
    last_reading_at: source time of the newest reading of any of its signals, microseconds UTC.
    stale_after_us: silence after which its data no longer says how it is. vouched_at: when a gateway last said that it
    hears a signal of it, microseconds UTC: little need come of what it thins.
    heard, learning: its signals that deliver, and those of them whose normal some detector still learns.
    """

    asset_id: str
    alarms: Sequence[tuple[AlarmRule, AlarmStatus]]
    episodes: Sequence[Finding]
    last_reading_at: int | None
    stale_after_us: int
    heard: int = 0
    learning: int = 0
    vouched_at: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """An asset's place. since: microseconds UTC; signal_id: the signal that says most, None where none does."""

    asset_id: str
    condition: AssetCondition
    reason: str
    since: int | None
    signal_id: str | None
    priority: Priority | None
    unacknowledged: int
    active_alarms: int
    shelved: int


_CONDITIONS: Final = tuple(AssetCondition)
_PRIORITIES: Final = tuple(Priority)
_STANDING: Final = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)


def stand(facts: AssetFacts, now: int) -> Standing:
    """Judge one asset. Alarms lead, then findings, then silence; a gateway in trouble says why one is silent."""
    condition, reason, since, signal_id, priority = _judge(facts, now)
    states = [status.state for _, status in facts.alarms]
    return Standing(
        asset_id=facts.asset_id,
        condition=condition,
        reason=reason,
        since=since,
        signal_id=signal_id,
        priority=priority,
        unacknowledged=sum(s in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED) for s in states),
        active_alarms=sum(s in _STANDING for s in states),
        shelved=states.count(AlarmState.SHELVED),
    )


def rank(standings: Sequence[Standing]) -> list[Standing]:
    """Most urgent first: condition, then what lasts before what is over, then priority, then what nobody has seen, then
    the newest."""
    return sorted(
        standings,
        key=lambda s: (
            _CONDITIONS.index(s.condition),
            s.priority is not None and not s.active_alarms,  # its alarm has returned
            -_PRIORITIES.index(s.priority) if s.priority else 1,
            -s.unacknowledged,
            -(s.since or 0),
            s.asset_id,
        ),
    )


_Judgement = tuple[AssetCondition, str, int | None, str | None, Priority | None]


def _judge(facts: AssetFacts, now: int) -> _Judgement:
    standing = [pair for pair in facts.alarms if pair[1].state in _STANDING]
    if standing:
        return _of_alarm(*max(standing, key=_urgency), len(standing))
    returned = [pair for pair in facts.alarms if pair[1].state is AlarmState.RETURNED]
    if own := [f for f in facts.episodes if f.detector != BY_CONDITION]:
        return _of_episode(own)
    if returned:
        rule, status = max(returned, key=_urgency)
        reason = f"{rule.title}: back to normal, not yet acknowledged"
        return AssetCondition.ADVISORY, reason, status.returned_at, rule.signal_id, rule.priority
    return _of_gateway(facts.episodes, _of_silence(facts, now)) if facts.episodes else _of_silence(facts, now)


def _of_gateway(episodes: Sequence[Finding], silence: _Judgement) -> _Judgement:
    told = _of_episode(episodes)
    if silence[0] in (AssetCondition.STALE, AssetCondition.NO_DATA):
        return silence[0], f"{silence[1]}: {told[1]}", *silence[2:]
    return told


def _urgency(pair: tuple[AlarmRule, AlarmStatus]) -> tuple[int, bool, int]:
    rule, status = pair
    return _PRIORITIES.index(rule.priority), status.state is AlarmState.UNACKNOWLEDGED, status.raised_at or 0


def _of_alarm(rule: AlarmRule, status: AlarmStatus, count: int) -> _Judgement:
    condition = {Priority.CRITICAL: AssetCondition.CRITICAL, Priority.ADVISORY: AssetCondition.ADVISORY}.get(
        rule.priority, AssetCondition.ALARM
    )
    more = f" (and {count - 1} more)" if count > 1 else ""
    return condition, f"{rule.title}{more}", status.raised_at, rule.signal_id, rule.priority


def _of_episode(episodes: Sequence[Finding]) -> _Judgement:
    worst = max(episodes, key=lambda f: (f.score, f.started_at))
    more = f" (and {len(episodes) - 1} more)" if len(episodes) > 1 else ""
    return AssetCondition.ADVISORY, f"{worst.reason}{more}", worst.started_at, worst.signal_id, None


def _of_silence(facts: AssetFacts, now: int) -> _Judgement:
    last = facts.last_reading_at
    if last is None:
        return AssetCondition.NO_DATA, "no reading has arrived yet", None, None, None
    heard = last if facts.vouched_at is None else max(last, facts.vouched_at)
    if now - heard > facts.stale_after_us:
        seconds = (now - heard) // 1_000_000
        return AssetCondition.STALE, f"no reading for {_duration(seconds)}", heard + facts.stale_after_us, None, None
    known = facts.heard - facts.learning
    if facts.learning > known:
        reason = f"learning what is normal: {known} of {facts.heard} signals known"
        return AssetCondition.BASELINING, reason, None, None, None
    # A signal of one reading an hour learns for weeks: it may not hide how the machine is.
    more = f"; {facts.learning} of {facts.heard} still learning what is normal" if facts.learning else ""
    return AssetCondition.NORMAL, f"all signals within limits{more}", None, None, None


def _duration(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
