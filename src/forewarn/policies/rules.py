"""The alarm rules a plant starts with, and what its file changes about them."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Final

from forewarn.domain.alarms import AlarmOverride, AlarmRule, Condition, Priority
from forewarn.domain.assets import Asset, AssetStatus, Plant, Signal
from forewarn.domain.errors import ConfigurationError
from forewarn.domain.quantity import shown
from forewarn.policies.asset_templates.alarm_texts import alarm_text

# `edge`: what a gateway of another make found (POST /api/v1/telemetry/batch, `anomalies`).
STATISTICAL: Final = "robust_z,flatline,rate_of_change,ensemble,vibration,edge"
_ON_DELAY_S: Final = {"temperature": 10.0, "vibration_velocity": 5.0, "vibration": 5.0, "flow": 5.0, "level": 10.0}
_OFF_DELAY_S: Final = 10.0
_DEADBAND_SHARE: Final = 0.02
_LEAST_SILENCE_S: Final = 30.0
_DAY_S: Final = 86_400.0
_SILENT_PERIODS: Final = 10.0
_SIDES: Final = (
    ("high_critical", Condition.ABOVE, "high", "critically high"),
    ("high", Condition.ABOVE, "high", "high"),
    ("low", Condition.BELOW, "low", "low"),
    ("low_critical", Condition.BELOW, "low", "critically low"),
)
_VITAL: Final = frozenset({"a", "high", "critical", "vital", "1"})


def default_rules(plant: Plant) -> list[AlarmRule]:
    """Limit, finding and silence rules of every asset in service, in the plant's order, with the file's changes.

    Signal keys may still be 0. Raises ConfigurationError for an override that names no rule and is none itself.
    """
    rules: dict[tuple[str, str], AlarmRule] = {}
    by_asset: dict[str, list[Signal]] = {a.id: [] for a in plant.assets}
    for signal in plant.signals:
        by_asset[signal.asset_id].append(signal)
    for asset in plant.assets:
        if asset.status in (AssetStatus.ACTIVE, AssetStatus.MAINTENANCE):
            made = _asset_rules(asset, by_asset[asset.id])
            rules.update(((rule.asset_id, rule.rule_id), rule) for rule in made)
    signals = {s.id: s for s in plant.signals}
    for override in plant.alarm_overrides:
        _apply(rules, override, signals)
    return list(rules.values())


def _asset_rules(asset: Asset, signals: Sequence[Signal]) -> Iterator[AlarmRule]:
    has_speed = any(s.running_above is not None for s in signals)
    for signal in signals:
        yield from _limit_rules(asset, signal, has_speed)
        yield _unusual(asset, signal)
        yield _signal_silent(asset, signal, has_speed)
    if signals:
        yield _asset_silent(asset, signals)


def _limit_rules(asset: Asset, signal: Signal, has_speed: bool) -> Iterator[AlarmRule]:
    for side, condition, outcome, _ in _SIDES:
        threshold = getattr(signal.limits, side)
        if threshold is None:
            continue
        text = alarm_text(asset.template, signal.name, signal.kind, outcome)
        rule_id = f"{signal.name}.{side}"
        yield AlarmRule(
            asset_id=asset.id,
            rule_id=rule_id,
            signal_key=signal.key,
            signal_id=signal.id,
            condition=condition,
            threshold=threshold,
            priority=_priority(asset, side.endswith("critical")),
            title=_limit_title(signal, rule_id, condition, threshold),
            deadband=signal.deadband or _DEADBAND_SHARE * _span(signal, threshold),
            on_delay_s=_ON_DELAY_S.get(signal.kind, 3.0),
            off_delay_s=_OFF_DELAY_S,
            only_running=condition is Condition.BELOW and has_speed,
            cause=text.cause,
            consequence=text.consequence,
            action=text.action,
            response_minutes=text.response_minutes,
        )


def _limit_title(signal: Signal, rule_id: str, condition: Condition, threshold: float) -> str:
    named = {f"{signal.name}.{side}": f"{_readable(signal.name)} {words}" for side, _, _, words in _SIDES}
    way = "over" if condition is Condition.ABOVE else "under"
    return f"{named.get(rule_id) or _readable(rule_id)}: {way} {shown(threshold, signal.unit)}"


def _unusual(asset: Asset, signal: Signal) -> AlarmRule:
    text = alarm_text(asset.template, signal.name, signal.kind, "finding")
    return AlarmRule(
        asset_id=asset.id,
        rule_id=f"{signal.name}.unusual",
        signal_key=signal.key,
        signal_id=signal.id,
        condition=Condition.FINDING,
        threshold=0.5,
        priority=Priority.ADVISORY,
        title=f"{_readable(signal.name)} behaves unlike its own past",
        detector=STATISTICAL,
        cause=text.cause,
        consequence=text.consequence,
        action=text.action,
        response_minutes=text.response_minutes,
    )


def _signal_silent(asset: Asset, signal: Signal, has_speed: bool) -> AlarmRule:
    """A source that reports changes only says nothing of a steady value: so not before the signal of a running
    machine should have moved (a day where that is unknown). Bad readings count at once (`policies/silence.py`)."""
    moves = has_speed and signal.running_above is None
    steady_s = signal.flatline_s if moves and signal.flatline_s is not None else _DAY_S
    seconds = max(_silence_s(signal), steady_s)
    return _silent(asset, signal.id, signal.key, f"{signal.name}.silent", seconds, _readable(signal.name), has_speed)


def _asset_silent(asset: Asset, signals: Sequence[Signal]) -> AlarmRule:
    seconds = max(_LEAST_SILENCE_S, min(_silence_s(s) for s in signals))
    return _silent(asset, "", 0, "silent", seconds, asset.name or asset.id, False)


def _silent(
    asset: Asset, signal_id: str, key: int, rule_id: str, seconds: float, subject: str, only_running: bool
) -> AlarmRule:
    text = alarm_text(asset.template, "", "", "silent")
    return AlarmRule(
        asset_id=asset.id,
        rule_id=rule_id,
        signal_key=key,
        signal_id=signal_id,
        condition=Condition.SILENT,
        threshold=seconds,
        priority=Priority.LOW if key or signal_id else Priority.MEDIUM,
        title=f"{subject}: no good reading",
        only_running=only_running,
        cause=text.cause,
        consequence=text.consequence,
        action=text.action,
        response_minutes=text.response_minutes,
    )


def _silence_s(signal: Signal) -> float:
    period = 1.0 / signal.rate_hz if signal.rate_hz > 0 else _LEAST_SILENCE_S
    return max(_LEAST_SILENCE_S, _SILENT_PERIODS * period)


def _span(signal: Signal, threshold: float) -> float:
    limits = signal.limits
    low = limits.low if limits.low is not None else limits.low_critical
    high = limits.high if limits.high is not None else limits.high_critical
    return high - low if low is not None and high is not None else abs(threshold)


def _priority(asset: Asset, critical: bool) -> Priority:
    """A step higher on an asset whose specification calls it vital (`criticality` a, high, critical, 1)."""
    vital = str(asset.specifications.get("criticality", "")).lower() in _VITAL
    if critical:
        return Priority.CRITICAL if vital else Priority.HIGH
    return Priority.HIGH if vital else Priority.MEDIUM


def _readable(name: str) -> str:
    text = name.replace("_", " ").replace(".", " ").strip()
    return text[:1].upper() + text[1:]


def _apply(rules: dict[tuple[str, str], AlarmRule], override: AlarmOverride, signals: dict[str, Signal]) -> None:
    key = (override.asset_id, override.rule_id)
    if not override.enabled:
        rules.pop(key, None)
        return
    rule = rules.get(key) or _own_rule(override)
    names = {f.name for f in fields(AlarmRule)}
    said = {
        f.name: getattr(override, f.name)
        for f in fields(override)
        if f.name in names and getattr(override, f.name) is not None
    }
    rule = replace(rule, **said)
    signal = signals.get(rule.signal_id)
    if signal is not None:
        rule = replace(rule, signal_key=signal.key)
        if override.title is None and rule.condition in (Condition.ABOVE, Condition.BELOW):
            rule = replace(rule, title=_limit_title(signal, rule.rule_id, rule.condition, rule.threshold))
    rules[key] = rule


def _own_rule(override: AlarmOverride) -> AlarmRule:
    if override.condition is None or override.threshold is None:
        raise ConfigurationError(
            f"alarm {override.asset_id}/{override.rule_id} is no default rule: give it condition, signal and "
            "threshold, or correct its name"
        )
    return AlarmRule(
        asset_id=override.asset_id,
        rule_id=override.rule_id,
        signal_key=0,
        signal_id=override.signal_id or "",
        condition=override.condition,
        threshold=override.threshold,
        priority=Priority.MEDIUM,
        title=_readable(override.rule_id),
    )
