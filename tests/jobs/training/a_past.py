"""A small plant whose past is stored: a real batch log, Parquet historian and catalog in one directory."""

from pathlib import Path

import numpy as np

from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import HOUR, SECOND
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.historians.parquet import HISTORIAN
from tests.learning.test_fleet import KINDS, behaviour

START = 1_700_000_000 // 3600 * HOUR
PATH = ("acme", "pune", "water", "line-1")


def small_plant(*assets: str) -> Plant:
    signals = [
        Signal(f"{a}.{kind}", a, kind, kind, "u", running_above=None, rate_hz=1.0) for a in assets for kind in KINDS
    ]
    return Plant(tuple(Asset(a, a.upper(), PATH, "centrifugal_pump") for a in assets), tuple(signals))


def opened(directory: Path, now: int = START) -> Catalog:
    return open_catalog(f"sqlite:///{directory / 'catalog.db'}", lambda: now, Seal(b"0" * 32), directory / "models")


def fill(directory: Path, *assets: str, hours: int = 3, start: int = START) -> CatalogPlantView:
    """`hours` of one-second readings from `start` on, of every machine; the plant is applied first."""
    with opened(directory) as catalog:
        catalog.plant.apply(small_plant(*assets), ())
        view = CatalogPlantView(catalog.plant)
    historian, log = HISTORIAN(directory / "historian"), SqliteSpool(directory / "log")
    try:
        for number, asset in enumerate(assets, 1):
            batch = _readings(view, asset, number, hours * 3600, start)
            historian.append([(log.append(batch).result().offset, batch)])
        historian.flush()
    finally:
        historian.close()
        log.close()
    return view


def _readings(view: CatalogPlantView, asset: str, seed: int, rows: int, start: int) -> ReadingBatch:
    values = behaviour(seed, rows)
    keys = [signal.key for signal in view.signals_of(asset)]
    signal = np.repeat(np.array(keys, np.int32), rows)
    time = np.tile(start + np.arange(rows, dtype=np.int64) * SECOND, len(keys))
    return ReadingBatch(signal, time, values.T.ravel(), np.zeros(len(signal), np.uint32), "gw", seed)
