"""After a drill, with both processes stopped: every reading the gateway took, against every reading the site has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from forewarn.app.plugins import load
from forewarn.app.settings import MIB
from forewarn.app.settings_reading import read_settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.gateway.drill.compare import Comparison, compare
from forewarn.gateway.local.database import Memory
from forewarn.gateway.local.keys import SignalKeys

_AT_ONCE: Final = 500_000
_FAR: Final = 2**62


def reckon(directory: Path) -> Comparison:
    """directory: the drill's. Raises what the stores raise."""
    memory = Memory(directory / "gateway")
    try:
        id_of = SignalKeys(directory / "gateway", memory).id_of()
    finally:
        memory.close()
    return compare(_taken(directory / "gateway" / "raw"), _at_site(directory / "site", id_of), id_of)


def _taken(directory: Path) -> Series:
    log: Any = load("batch_logs", "sqlite_spool")(directory, capacity_bytes=1 << 50)
    try:
        parts, after = [ReadingBatch.concatenate([_nothing()])], 0
        while batches := log.read(after, _AT_ONCE):
            after = batches[-1][0]
            parts.append(ReadingBatch.concatenate([batch for _, batch in batches]))
    finally:
        log.close()
    all_of_it = ReadingBatch.concatenate(parts)
    return Series(all_of_it.signal, all_of_it.time, all_of_it.value, all_of_it.quality)


def _at_site(directory: Path, id_of: Mapping[int, str]) -> Series:
    """Under the gateway's keys."""
    with open_site_catalog(read_settings(directory=directory)) as catalog:
        site_key = {signal.id: signal.key for signal in catalog.plant.signals()}
    ours = np.zeros(max(site_key.values(), default=0) + 1, np.int32)
    for key, name in id_of.items():
        ours[site_key.get(name, 0)] = key
    historian: Any = load("historians", "parquet")(
        directory / "historian", flush_readings=2 * MIB, flush_interval_s=30.0
    )
    try:
        wanted = np.flatnonzero(ours).astype(np.int32)
        found: Series = historian.raw(wanted, 0, _FAR)
    finally:
        historian.close()
    return Series(ours[found.signal], found.time, found.value, found.quality)


def _nothing() -> ReadingBatch:
    empty = np.zeros(0)
    return ReadingBatch(empty.astype(np.int32), empty.astype(np.int64), empty, empty.astype(np.uint32), "drill", 0)
