"""The plant's description: places, sources, assets, signals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select, update

from forewarn.catalog.alarms import hold_rules, read_rules, retire_standing, write_rules
from forewarn.catalog.engine import Database, upsert
from forewarn.catalog.recording import Recorder, record
from forewarn.catalog.tables import assets, places, plant_revision, sensors, sources
from forewarn.domain.alarms import AlarmRule
from forewarn.domain.assets import Asset, AssetStatus, Change, Component, Limits, Plant, Signal, SourceConfig
from forewarn.domain.audit import Deed
from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.policies.plant_plan import PlantImage, differences

_SAME_NAME: Final = (
    *("asset_id", "name", "unit", "range_low", "range_high", "max_rate_per_s", "flatline_s", "deadband"),
    *("running_above", "source", "address"),
)
_LIMITS: Final = ("low_critical", "low", "high", "high_critical")


class CatalogPlant:
    """PlantStore in the catalog."""

    def __init__(self, database: Database, now: Callable[[], int], audit: Recorder | None = None) -> None:
        self._database, self._now, self._audit = database, now, audit

    def plan(self, plant: Plant, rules: Sequence[AlarmRule]) -> Sequence[Change]:
        _check(plant, rules)
        with self._database.read() as connection:
            return differences(_image(connection), PlantImage(plant, rules))

    def apply(
        self,
        plant: Plant,
        rules: Sequence[AlarmRule],
        deed: Callable[[Sequence[Change]], Deed] | None = None,
    ) -> Sequence[Change]:
        """Raises InvalidInput when a rule or signal names something the plant does not hold."""
        _check(plant, rules)
        with self._database.write() as connection:
            revision = connection.execute(select(plant_revision.c.revision).with_for_update()).scalar_one()
            hold_rules(connection)
            before = _image(connection)
            changes = differences(before, PlantImage(plant, rules))
            if changes or _order(before.plant, before.rules) != _order(plant, rules):
                self._write(connection, plant, rules, changes)
                connection.execute(update(plant_revision).values(revision=revision + 1))
            if changes and deed is not None:
                record(self._audit, connection, deed(changes))
        return changes

    def _write(
        self, connection: Connection, plant: Plant, rules: Sequence[AlarmRule], changes: Sequence[Change]
    ) -> None:
        now = self._now()
        upsert(connection, places, [{"path": p, "name": n, "retired": False} for p, n in plant.place_names.items()])
        upsert(connection, sources, [_source_row(s, i) for i, s in enumerate(plant.sources)])
        touched = {c.id for c in changes if c.what == "asset"}
        rows = [_asset_row(a, i, now) for i, a in enumerate(plant.assets)]
        upsert(connection, assets, [r for r in rows if r["asset_id"] in touched], keep=["created_at"])
        upsert(connection, assets, [r for r in rows if r["asset_id"] not in touched], keep=["created_at", "updated_at"])
        keys = _keys_for(connection, plant.signals)
        rows = [_signal_row(replace(s, key=keys[s.id]), i, now) for i, s in enumerate(plant.signals)]
        upsert(connection, sensors, rows, keep=["created_at"])
        removed = {what: [c.id for c in changes if (c.action, c.what) == ("removed", what)] for what in _TABLES}
        for what, (table, column) in _TABLES.items():
            for start in range(0, len(removed[what]), 500):
                gone = update(table).where(table.c[column].in_(removed[what][start : start + 500]))
                connection.execute(gone.values(retired=True))
        left = [
            (a, r) for c in changes if (c.action, c.what) == ("removed", "rule") for a, _, r in [c.id.partition("/")]
        ]
        retire_standing(connection, left, now)
        write_rules(connection, [replace(r, signal_key=keys.get(r.signal_id, 0)) for r in rules])

    def revision(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(select(plant_revision.c.revision)).scalar_one())

    def assets(self) -> Sequence[Asset]:
        with self._database.read() as connection:
            return _assets(connection)

    def asset(self, asset_id: str) -> Asset:
        with self._database.read() as connection:
            row = connection.execute(select(assets).where(assets.c.asset_id == asset_id)).first()
        if row is None:
            raise NotFound(f"there is no asset {asset_id!r}")
        return _asset(row)

    def signals(self, asset_id: str | None = None) -> Sequence[Signal]:
        query = select(sensors).join_from(sensors, assets)
        if asset_id is None:
            query = query.where(~sensors.c.retired)
        else:
            query = query.where(sensors.c.asset_id == asset_id, ~sensors.c.retired | assets.c.retired)
        with self._database.read() as connection:
            return [_signal(row) for row in connection.execute(query.order_by(sensors.c.position))]

    def place_names(self) -> Mapping[str, str]:
        with self._database.read() as connection:
            return _place_names(connection)

    def sources(self) -> Sequence[SourceConfig]:
        with self._database.read() as connection:
            return _sources(connection)


_TABLES: Final[Mapping[str, tuple[Table, str]]] = {
    "place": (places, "path"),
    "source": (sources, "name"),
    "asset": (assets, "asset_id"),
    "signal": (sensors, "sensor_id"),
}


def _check(plant: Plant, rules: Sequence[AlarmRule]) -> None:
    """A plant built by hand is held to what the plant file's reader guarantees."""
    asset_ids = {a.id for a in plant.assets}
    signal_ids = {s.id for s in plant.signals}
    for name, ids in (
        ("asset", [a.id for a in plant.assets]),
        ("signal", [s.id for s in plant.signals]),
        ("source", [s.name for s in plant.sources]),
        ("rule", [f"{r.asset_id}/{r.rule_id}" for r in rules]),
    ):
        if twice := next((i for i in ids if ids.count(i) > 1), None) if len(set(ids)) != len(ids) else None:
            raise InvalidInput(f"{name} {twice!r} is there twice", field=name)
    for signal in plant.signals:
        if signal.asset_id not in asset_ids:
            raise InvalidInput(f"signal {signal.id!r} belongs to no asset of the plant: {signal.asset_id!r}")
    for rule in rules:
        if rule.asset_id not in asset_ids or (rule.signal_id and rule.signal_id not in signal_ids):
            raise InvalidInput(f"rule {rule.rule_id!r} names {rule.asset_id!r}, {rule.signal_id!r}: not in the plant")


def _order(plant: Plant, rules: Sequence[AlarmRule]) -> tuple[list[str], ...]:
    return (
        [s.name for s in plant.sources],
        [a.id for a in plant.assets],
        [s.id for s in plant.signals],
        [f"{r.asset_id}/{r.rule_id}" for r in rules],
    )


def _keys_for(connection: Connection, signals: Sequence[Signal]) -> dict[str, int]:
    """Key of every signal: what it has had, else the next one never given."""
    known = {
        row.sensor_id: row.sensor_key for row in connection.execute(select(sensors.c.sensor_id, sensors.c.sensor_key))
    }
    following = (connection.execute(select(func.max(sensors.c.sensor_key))).scalar() or 0) + 1
    for signal in signals:
        if signal.id not in known:
            known[signal.id] = following
            following += 1
    return known


def _image(connection: Connection) -> PlantImage:
    signals = connection.execute(select(sensors).where(~sensors.c.retired).order_by(sensors.c.position))
    plant = Plant(
        tuple(_assets(connection)),
        tuple(_signal(row) for row in signals),
        tuple(_sources(connection)),
        _place_names(connection),
    )
    return PlantImage(plant, read_rules(connection))


def _assets(connection: Connection) -> list[Asset]:
    query = select(assets).where(~assets.c.retired).order_by(assets.c.position)
    return [_asset(row) for row in connection.execute(query)]


def _sources(connection: Connection) -> list[SourceConfig]:
    query = select(sources).where(~sources.c.retired).order_by(sources.c.position)
    return [SourceConfig(row.name, row.connector, row.settings) for row in connection.execute(query)]


def _place_names(connection: Connection) -> dict[str, str]:
    query = select(places).where(~places.c.retired).order_by(places.c.path)
    return {row.path: row.name for row in connection.execute(query)}


def _source_row(source: SourceConfig, position: int) -> dict[str, Any]:
    settings = dict(source.settings)
    return {
        "name": source.name,
        "connector": source.connector,
        "settings": settings,
        "position": position,
        "retired": False,
    }


def _asset_row(asset: Asset, position: int, now: int) -> dict[str, Any]:
    enterprise, site, area, line = asset.path
    return {
        "asset_id": asset.id,
        "name": asset.name,
        "asset_type": asset.template,
        "enterprise": enterprise,
        "site": site,
        "area": area,
        "line": line,
        "status": asset.status.value,
        "components": [[c.name, list(c.failure_modes)] for c in asset.components],
        "specifications": dict(asset.specifications),
        "position": position,
        "retired": False,
        "created_at": now,
        "updated_at": now,
    }


def _asset(row: Any) -> Asset:
    return Asset(
        id=row.asset_id,
        name=row.name,
        path=(row.enterprise, row.site, row.area, row.line),
        template=row.asset_type,
        status=AssetStatus.RETIRED if row.retired else AssetStatus(row.status),
        components=tuple(Component(name, tuple(modes)) for name, modes in row.components),
        specifications=row.specifications,
    )


def _signal_row(signal: Signal, position: int, now: int) -> dict[str, Any]:
    return {
        "sensor_key": signal.key,
        "sensor_id": signal.id,
        "sensor_type": signal.kind,
        "sampling_rate_hz": signal.rate_hz,
        **{name: getattr(signal, name) for name in _SAME_NAME},
        **{name: getattr(signal.limits, name) for name in _LIMITS},
        "position": position,
        "retired": False,
        "created_at": now,
    }


def _signal(row: Any) -> Signal:
    return Signal(
        id=row.sensor_id,
        kind=row.sensor_type,
        key=row.sensor_key,
        rate_hz=row.sampling_rate_hz,
        limits=Limits(*(getattr(row, name) for name in _LIMITS)),
        **{name: getattr(row, name) for name in _SAME_NAME},
    )
