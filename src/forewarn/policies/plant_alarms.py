"""The [[asset.alarm]] tables: changes to default alarm rules, and rules of its own."""

from collections.abc import Collection, Mapping

from forewarn.domain.alarms import AlarmOverride, Condition, Priority
from forewarn.domain.assets import Asset, Signal
from forewarn.policies.plant_assets import PLAIN_ID
from forewarn.policies.plant_keys import ALARM
from forewarn.policies.toml_table import Table, did_you_mean


def read_alarms(
    table: Table, asset: Asset, signals: Mapping[str, Signal], default_ids: Collection[str]
) -> list[AlarmOverride]:
    """In the file's order. `signals` by name; `default_ids`: rules the asset has without being told."""
    found: dict[str, AlarmOverride] = {}
    for part in table.tables("alarm", ALARM):
        rule = part.text("rule", required=True)
        if rule is None:
            continue
        if not PLAIN_ID.fullmatch(rule):
            part.wrong("rule", f'rule "{rule}" may hold letters, digits, "_", "-" and "." only')
        if rule in found:
            part.wrong("rule", f'rule "{rule}" is described twice for asset "{asset.id}": merge the two tables')
        if part.content.get("condition") is None and rule not in default_ids:
            part.wrong(
                "rule",
                f'rule "{rule}" is no default rule of asset "{asset.id}"{did_you_mean(rule, default_ids)};'
                " a rule of your own needs condition, signal and threshold",
            )
        found[rule] = _override(part, asset, rule, _signal_id(part, asset, signals))
    return list(found.values())


def _signal_id(part: Table, asset: Asset, signals: Mapping[str, Signal]) -> str | None:
    word = part.text("signal")
    if word is None:
        return None
    by_id = {s.id: s for s in signals.values()}
    signal = signals.get(word) or by_id.get(word)
    if signal is None:
        part.wrong("signal", f'asset "{asset.id}" has no signal "{word}"{did_you_mean(word, signals)}')
        return None
    return signal.id


def _override(part: Table, asset: Asset, rule: str, signal_id: str | None) -> AlarmOverride:
    condition, threshold = part.choice("condition", Condition), part.number("threshold")
    if condition is not None:
        for key in ("threshold",) if condition is Condition.SILENT else ("signal", "threshold"):
            if not part.has(key):
                part.wrong(None, f'rule "{rule}" states a condition but no {key}: add {key} = ...')
    if condition is Condition.FINDING and threshold is not None and not 0 <= threshold <= 1:
        part.wrong("threshold", f"threshold of a finding is a score from 0 to 1, not {threshold:g}")
    if condition is Condition.SILENT and threshold is not None and threshold <= 0:
        part.wrong("threshold", f"threshold of a silent rule is seconds above 0, not {threshold:g}")
    minutes = part.number("response_minutes", least=1.0)
    enabled = part.flag("enabled")
    return AlarmOverride(
        asset_id=asset.id,
        rule_id=rule,
        enabled=True if enabled is None else enabled,
        signal_id=signal_id,
        condition=condition,
        threshold=threshold,
        priority=part.choice("priority", Priority),
        title=part.text("title"),
        deadband=part.number("deadband", least=0.0),
        on_delay_s=part.number("on_delay_s", least=0.0),
        off_delay_s=part.number("off_delay_s", least=0.0),
        latching=part.flag("latching"),
        only_running=part.flag("only_running"),
        detector=part.text("detector"),
        cause=part.text("cause"),
        consequence=part.text("consequence"),
        action=part.text("action"),
        response_minutes=None if minutes is None else int(minutes),
    )
