"""The signals of one [[asset]]: those of its template, overridden or added to."""

from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from string import Formatter

from forewarn.domain.assets import Asset, Limits, Signal
from forewarn.domain.errors import InvalidInput
from forewarn.policies.asset_templates import TEMPLATES
from forewarn.policies.asset_templates.model import KINDS, VIBRATION
from forewarn.policies.plant_assets import PLAIN_ID
from forewarn.policies.plant_keys import KEYS, LIMITS
from forewarn.policies.toml_lines import Path
from forewarn.policies.toml_table import Table, did_you_mean

_PLACEHOLDERS = ("asset", "signal", "id", "enterprise", "site", "area", "line")


def read_signals(table: Table, asset: Asset, sources: Collection[str]) -> list[tuple[Path, Signal]]:
    """Signals in the template's order, then the file's, each with the path to blame for it."""
    said = table.table("signals", None)
    defaults = table.table("defaults", KEYS["asset.defaults"])
    known = _from_template(table, asset, said)
    found: list[tuple[Path, Signal]] = []
    for name in dict.fromkeys([*known, *said.content]):
        own = said.table(name, KEYS["asset.signals.<name>"])
        path = own.path if said.has(name) else table.path
        base = known.get(name, Signal(f"{asset.id}.{name}", asset.id, name, "", ""))
        if not PLAIN_ID.fullmatch(name):
            said.wrong(name, f'signal "{name}" may hold letters, digits, "_", "-" and "." only')
        signal = _sourced(_overridden(base, own, name in known), own, defaults, asset, sources)
        found.append((path, _limited(signal, own, asset)))
    _one_speed(table, found)
    if not found:
        table.wrong(None, f'asset "{asset.id}" has no signals: name a template or add [asset.signals.<name>]')
    return found


def _from_template(table: Table, asset: Asset, said: Table) -> dict[str, Signal]:
    signals = TEMPLATES[asset.template].signals_for(asset.id, asset.specifications) if asset.template else ()
    known = {s.name: s for s in signals}
    measured = table.words("measured")
    if measured is None:
        return known
    if not asset.template:
        table.wrong("measured", "measured chooses among a template's signals: name a template or leave it out")
        return known
    for name in measured:
        if name not in known:
            table.wrong("measured", f'"{name}" is no signal of template {asset.template}{did_you_mean(name, known)}')
    for name in said.content:
        if name in known and name not in measured:
            said.wrong(name, f'"{name}" is described but not among measured: add it there or drop this table')
    return {name: s for name, s in known.items() if name in measured}


def _overridden(base: Signal, own: Table, known: bool) -> Signal:
    kind, unit = own.word("kind", KINDS), own.text("unit")
    if not known:
        for key in ("kind", "unit"):
            if not own.has(key):
                own.wrong(None, f'signal "{base.name}" has no {key}: add {key} = "..."')
    signal_id = own.text("id")
    if signal_id is not None and any(c.isspace() or c in ",/" for c in signal_id):
        own.wrong("id", f'id "{signal_id}" may not hold spaces, commas or slashes')
    low, high = _range(base, own)
    return replace(
        base,
        id=signal_id or base.id,
        kind=kind or base.kind,
        unit=unit or base.unit,
        range_low=low,
        range_high=high,
        deadband=_number(own, "deadband", base.deadband, least=0.0) or 0.0,
        max_rate_per_s=_number(own, "max_rate_per_s", base.max_rate_per_s, above=0.0),
        flatline_s=_number(own, "flatline_s", base.flatline_s, above=0.0),
        running_above=_number(own, "running_above", base.running_above),
    )


def _number(
    own: Table, key: str, default: float | None, *, least: float | None = None, above: float | None = None
) -> float | None:
    """`false` takes away what the template says."""
    if own.content.get(key) is False:
        return None
    value = own.number(key, least=least, above=above)
    return default if value is None else value


def _range(base: Signal, own: Table) -> tuple[float | None, float | None]:
    said = own.content.get("range")
    if said is None:
        return base.range_low, base.range_high
    if not isinstance(said, list) or len(said) != 2:
        own.wrong("range", "range must be two numbers: range = [low, high]")
        return None, None
    part = Table({"low": said[0], "high": said[1]}, (*own.path, "range"), own.problems, None)
    low, high = part.number("low"), part.number("high")
    if low is not None and high is not None and low >= high:
        own.wrong("range", f"range starts at {low:g} and ends at {high:g}: the lower number comes first")
        return None, None
    return low, high


def _limited(signal: Signal, own: Table, asset: Asset) -> Signal:
    part = own.table("limits", LIMITS)
    base = signal.limits
    if signal.kind == VIBRATION and asset.template and not (part.has("high") and part.has("high_critical")):
        base = _zone_limits(base, own, asset)
    limits = Limits(**{name: _number(part, name, getattr(base, name)) for name in LIMITS})
    given = [(name, value) for name in LIMITS if (value := getattr(limits, name)) is not None]
    for (name, value), (next_name, next_value) in pairwise(given):
        if value >= next_value:
            key = next_name if part.has(next_name) else name
            part.wrong(
                key, f"limits of {signal.id} are out of order: {name} {value:g} is not below {next_name} {next_value:g}"
            )
    for name, value in given:
        if _outside(value, signal):
            part.wrong(
                name,
                f"limit {name} {value:g} of {signal.id} lies outside its range {signal.range_low} to"
                f" {signal.range_high} and can never be passed: correct one of them",
            )
    return replace(signal, limits=limits)


def _outside(value: float, signal: Signal) -> bool:
    low, high = signal.range_low, signal.range_high
    return (low is not None and value < low) or (high is not None and value > high)


def _zone_limits(base: Limits, own: Table, asset: Asset) -> Limits:
    try:
        zones = TEMPLATES[asset.template].vibration_limits(asset.specifications)
    except InvalidInput as error:
        asset_path = own.path[:2]
        key = ("specifications",) if error.field not in asset.specifications else ("specifications", error.field or "")
        own.problems.add(
            (*asset_path, *key),
            f'vibration limits of "{asset.id}" come from its class: {error};'
            f" or state limits high and high_critical in [asset.signals.{own.path[-1]}]",
        )
        return base
    return replace(base, high=zones.high, high_critical=zones.high_critical)


def _sourced(signal: Signal, own: Table, defaults: Table, asset: Asset, sources: Collection[str]) -> Signal:
    asking = own if own.has("source") else defaults
    source = asking.text("source")
    if source is not None and source not in sources:
        hint = did_you_mean(source, sources) or "; add it as [[source]]"
        asking.wrong("source", f'source "{source}" is not described{hint}')
    address = own.text("address")
    if address is None and defaults.has("address"):
        address = _expanded(signal, defaults, asset)
    if source is not None and address is None and not own.has("address"):
        (own if own.content else asking).wrong(
            None,
            f'signal "{signal.id}" comes from source "{source}" but has no address: add address = "..."'
            " there, or a pattern in [asset.defaults]",
        )
    rate = own.number("rate_hz", above=0.0) or defaults.number("rate_hz", above=0.0) or signal.rate_hz
    return replace(signal, source=source, address=address if source else None, rate_hz=rate)


def _expanded(signal: Signal, defaults: Table, asset: Asset) -> str | None:
    pattern = defaults.text("address")
    if pattern is None:
        return None
    values = dict(zip(_PLACEHOLDERS, (asset.id, signal.name, signal.id, *asset.path), strict=True))
    try:
        for _, word, _, _ in Formatter().parse(pattern):
            if word is not None and word not in values:
                defaults.wrong("address", f'"{{{word}}}" is no part of an address{did_you_mean(word, _PLACEHOLDERS)}')
                return pattern
        return pattern.format(**values)
    except ValueError as error:
        defaults.wrong("address", f'address "{pattern}": {error}; write {{{{ and }}}} for braces')
        return pattern


def _one_speed(table: Table, found: list[tuple[Path, Signal]]) -> None:
    speeds = [(path, s) for path, s in found if s.running_above is not None]
    if len(speeds) > 1:
        names = ", ".join(s.name for _, s in speeds)
        table.problems.add(
            speeds[-1][0],
            f"running_above stands on {names}: one signal tells whether the machine runs; set false on others",
        )
