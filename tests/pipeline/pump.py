"""A pump in a real catalog, for the stages that judge."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from forewarn.catalog import Catalog, open_catalog
from forewarn.contracts.stage import Carriage
from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.assets import Asset, Limits, Plant, Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.rules import default_rules

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
ASSET = Asset("p1", "Pump 1", ("e", "s", "a", "l"), "centrifugal_pump")
SPEED = Signal("p1.speed", "p1", "speed", "speed", "rpm", running_above=100.0, range_high=1900.0)
HEAT = Signal("p1.t", "p1", "t", "temperature", "degC", limits=Limits(high=80.0, high_critical=90.0), deadband=1.0)
FLOW = Signal("p1.flow", "p1", "flow", "flow", "m3/h", limits=Limits(low=20.0), deadband=1.0, flatline_s=60.0)
PUMP = Plant((ASSET,), (SPEED, HEAT, FLOW))


class View:
    """PlantView of what the catalog holds."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.refresh()

    def refresh(self) -> None:
        self.revision = self._catalog.plant.revision()
        self.table = SignalTable.of(self._catalog.plant.signals())
        self.assets = {a.id: a for a in self._catalog.plant.assets()}

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return self._catalog.plant.signals(asset_id)


@cache
def _empty_catalog() -> bytes:
    """A new database's bytes: examples by the hundred need not run the migrations each."""
    with TemporaryDirectory() as folder:
        open_catalog(f"sqlite:///{folder}/catalog.db").close()
        return (Path(folder) / "catalog.db").read_bytes()


@contextmanager
def pump_catalog(folder: Path, plant: Plant = PUMP) -> Iterator[Catalog]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "catalog.db"
    if not file.exists():
        file.write_bytes(_empty_catalog())
    with open_catalog(f"sqlite:///{folder}/catalog.db") as catalog:
        catalog.plant.apply(plant, default_rules(plant))
        yield catalog


class Road:
    """Makes carriages of whole seconds of the pump's signals."""

    def __init__(self, view: View) -> None:
        self._key = {name.removeprefix("p1."): key for name, key in view.table.key_of.items()}
        self.offset = 0

    def carriage(self, first_s: int, **series: Sequence[float]) -> Carriage:
        """One value a second from `first_s` on, by signal name; a NaN is a reading of bad quality."""
        self.offset += 1
        columns = []
        for name, values in series.items():
            value = np.array(values, np.float64)
            key = np.full(len(value), self._key[name], np.int32)
            time = START + (first_s + np.arange(len(value))) * SECOND
            columns.append((key, time, value, np.where(np.isnan(value), 0x80000000, 0).astype(np.uint32)))
        signal, time, value, quality = (np.concatenate(c) for c in zip(*columns, strict=True))
        batch = ReadingBatch(signal, time, value, quality, "gw", self.offset).sorted_by_signal()
        return Carriage(self.offset, self.offset, ((self.offset, batch),), batch)


def told(events: Sequence[AlarmEvent]) -> list[tuple[str, str, int]]:
    """(rule, kind, second) of each event."""
    return [(e.rule_id, e.kind, (e.at - START) // SECOND) for e in events]
