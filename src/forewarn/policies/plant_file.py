"""A plant file (TOML) read into a Plant; every mistake is told with its line."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from forewarn.domain.assets import Asset, AssetStatus, Plant, Signal, SourceConfig
from forewarn.domain.errors import ConfigurationError
from forewarn.policies.plant_alarms import read_alarms
from forewarn.policies.plant_assets import read_asset
from forewarn.policies.plant_keys import KEYS, PLACES
from forewarn.policies.plant_signals import read_signals
from forewarn.policies.rules import default_rules
from forewarn.policies.toml_lines import TomlLines
from forewarn.policies.toml_table import Problems, Table, did_you_mean

SourceCheck = Callable[[str, str, Mapping[str, object]], Sequence[str]]
_LINE_IN_MESSAGE = re.compile(r" \(at line (\d+), column \d+\)$")


def parse_plant(text: str, file: str, validate_source: SourceCheck | None = None) -> Plant:
    """Read a plant file. `file` is what messages call it.

    validate_source: (name, connector, settings) -> what is wrong with them, each as `key: reason` or `reason`.
    Raises ConfigurationError with every mistake found, one `file:line: reason` a line; its `where` is the first.
    """
    root = open_file(text, file)
    plant = read_plant(root, validate_source)
    root.problems.raise_if_any()
    return plant


def open_file(text: str, file: str) -> Table:
    """The file's top table, which collects mistakes in its `problems`. Raises ConfigurationError if it is no TOML."""
    content = _toml(text, file)
    return Table(content, (), Problems(file, TomlLines(text.removeprefix("\ufeff"))), KEYS[""])


def read_plant(root: Table, validate_source: SourceCheck | None = None) -> Plant:
    """What `root` says of the plant; mistakes are noted in its problems. Its table `gateway` is not looked at."""
    return _plant(root, _sources(root, validate_source))


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        raise ConfigurationError("arrays or tables are nested too deeply: flatten them", where=file) from None
    except ValueError as error:
        reason = str(error)
        at = _LINE_IN_MESSAGE.search(reason)
        line = int(at[1]) if at else text.count("\n") + 1 if "end of document" in reason else 1
        reason = _LINE_IN_MESSAGE.sub("", reason)
        raise ConfigurationError(f"not valid TOML: {reason}", where=f"{file}:{line}") from None


def _sources(root: Table, validate: SourceCheck | None) -> tuple[SourceConfig, ...]:
    found: dict[str, SourceConfig] = {}
    for table in root.tables("source", KEYS["source"]):
        name, connector = table.text("name", required=True), table.text("connector", required=True)
        settings = table.table("settings", None).content
        if name is None or connector is None:
            continue
        if name in found:
            table.wrong("name", f'source "{name}" is described twice: give one of them another name')
        for reason in _plain_values(settings, "settings"):
            table.wrong("settings", reason)
        for reason in validate(name, connector, settings) if validate else ():
            _note_setting(table, reason)
        found[name] = SourceConfig(name, connector, dict(settings))
    return tuple(found.values())


def _note_setting(table: Table, reason: str) -> None:
    key = reason.partition(":")[0]
    path = ("settings", *key.split(".")) if table.has("settings") else ()
    table.problems.add((*table.path, *path), f"source settings: {reason}")


def _plain_values(value: object, path: str) -> list[str]:
    """Settings travel as JSON: no dates, no NaN."""
    if isinstance(value, Mapping):
        return [r for k, v in value.items() for r in _plain_values(v, f"{path}.{k}")]
    if isinstance(value, list):
        return [r for i, v in enumerate(value) for r in _plain_values(v, f"{path}[{i}]")]
    if isinstance(value, str) and "\x00" in value:
        return [f"{path} holds a NUL character"]
    if isinstance(value, bool | int | str):
        return []
    if isinstance(value, float):
        return [] if abs(value) < float("inf") else [f"{path} must be a finite number, not {value}"]
    return [f"{path} is a date or time: put it in quotes"]


def _plant(root: Table, sources: tuple[SourceConfig, ...]) -> Plant:
    assets: dict[str, Asset] = {}
    signals: dict[str, Signal] = {}
    overrides = []
    names = {s.name for s in sources}
    for table in root.tables("asset", KEYS["asset"]):
        asset = read_asset(table)
        if asset.id in assets:
            table.wrong("id", f'asset "{asset.id}" is described twice: ids are unique in the plant')
        of_asset = read_signals(table, asset, names)
        for path, signal in of_asset:
            if signal.id in signals and asset.id not in assets:
                table.problems.add(path, f'signal id "{signal.id}" is taken: ids are unique in the plant')
            signals.setdefault(signal.id, signal)
        default_ids = _default_rule_ids(asset, [s for _, s in of_asset])
        overrides += read_alarms(table, asset, {s.name: s for _, s in of_asset}, default_ids)
        assets.setdefault(asset.id, asset)
    place_names = _place_names(root, assets.values())
    return Plant(tuple(assets.values()), tuple(signals.values()), sources, place_names, tuple(overrides))


def _default_rule_ids(asset: Asset, signals: Sequence[Signal]) -> list[str]:
    """Those the asset would have in service, so that a file may silence one of a machine that stands by."""
    return [r.rule_id for r in default_rules(Plant((replace(asset, status=AssetStatus.ACTIVE),), tuple(signals)))]


def _place_names(root: Table, assets: Iterable[Asset]) -> dict[str, str]:
    paths = {asset.path for asset in assets if asset.path[0]}
    names: dict[str, str] = {}
    enterprise = root.table("enterprise", KEYS["enterprise"])
    tables = [(0, enterprise)] if enterprise.content else []
    for level, key in enumerate(PLACES, start=1):
        tables += [(level, table) for table in root.tables(key, KEYS[key])]
    for level, table in tables:
        place, name = table.text("id", required=True), table.text("name", required=True)
        known = {"/".join(path[: level + 1]) for path in paths}
        matching = [p for p in known if place in (p, p.rpartition("/")[2])]
        if place is not None and not matching and paths:
            ids = sorted({p.rpartition("/")[2] for p in known})
            table.wrong("id", f'no asset lies in "{place}"{did_you_mean(place, ids)}')
        for path in matching:
            if path in names:
                table.wrong("id", f'"{path}" is named twice: write its full path as id to tell places apart')
            names[path] = name or ""
    return names
