"""What separates one description of the plant from another."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from forewarn.domain.alarms import AlarmRule
from forewarn.domain.assets import Change, Plant

_GIVEN_BY_CATALOG = frozenset({"key", "signal_key"})


@dataclass(frozen=True, slots=True)
class PlantImage:
    """A plant with its alarm rules: the catalog's, or what a plant file wants."""

    plant: Plant
    rules: Sequence[AlarmRule]


def differences(old: PlantImage, new: PlantImage) -> list[Change]:
    """Changes that turn `old` into `new`: places, sources, assets, signals, rules, each in the new one's order,
    removals last. Keys given by the catalog and the order of things are not compared."""
    return [
        *_differ("place", _named(old.plant.place_names), _named(new.plant.place_names)),
        *_differ("source", {s.name: s for s in old.plant.sources}, {s.name: s for s in new.plant.sources}),
        *_differ("asset", {a.id: a for a in old.plant.assets}, {a.id: a for a in new.plant.assets}),
        *_differ("signal", {s.id: s for s in old.plant.signals}, {s.id: s for s in new.plant.signals}),
        *_differ("rule", _by_key(old.rules), _by_key(new.rules)),
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    name: str


def _named(names: Mapping[str, str]) -> dict[str, _Place]:
    return {path: _Place(name) for path, name in names.items()}


def _by_key(rules: Iterable[AlarmRule]) -> dict[str, AlarmRule]:
    return {f"{r.asset_id}/{r.rule_id}": r for r in rules}


def _differ(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    changes = []
    for name, thing in new.items():
        if name not in old:
            changes.append(Change("added", what, name))
        elif detail := _detail(old[name], thing):
            changes.append(Change("changed", what, name, detail))
    return changes + [Change("removed", what, name) for name in old if name not in new]


def _detail(old: Any, new: Any) -> str:
    parts = []
    for field in fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name in _GIVEN_BY_CATALOG or comparable(before) == comparable(after):
            continue
        parts += _parts(field.name, before, after)
    return "; ".join(parts)


def _parts(name: str, before: Any, after: Any) -> list[str]:
    old, new = _items(before), _items(after)
    if old is None or new is None:
        return [f"{name}: {_shown(before)} -> {_shown(after)}"]
    keys = dict.fromkeys([*old, *new])
    return [
        f"{name}.{key}: {_shown(old.get(key))} -> {_shown(new.get(key))}"
        for key in keys
        if comparable(old.get(key)) != comparable(new.get(key))
    ] or [f"{name}: order"]


def _items(value: Any) -> Mapping[Any, Any] | None:
    """Named parts of a value that has any: mappings, limits, components."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and all(hasattr(part, "failure_modes") for part in value):
        return {part.name: list(part.failure_modes) for part in value}
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    return None


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
        return "/".join(value)
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value) or "none"


def comparable(value: Any) -> Hashable:
    """A form in which what the database gives back equals what was put in (JSON knows lists, not tuples)."""
    if isinstance(value, float | int | str | None):
        return value
    if isinstance(value, Mapping):
        return tuple(sorted(((str(key), comparable(part)) for key, part in value.items()), key=lambda pair: pair[0]))
    parts = value if isinstance(value, list | tuple) else [getattr(value, f.name) for f in fields(value)]
    return tuple(comparable(part) for part in parts)
