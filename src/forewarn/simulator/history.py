"""History in bulk: Parquet files by day, the ground truth and the plant file."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from forewarn.domain.errors import InvalidInput
from forewarn.kit.clock import DAY, SECOND, to_rfc3339
from forewarn.simulator.batches import LABELS_FILE, STATE_FILE
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.episodes import write_labels
from forewarn.simulator.fault_plan import plan_episodes
from forewarn.simulator.machines import Machine
from forewarn.simulator.plant import Block, SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml

SCHEMA: Final = pa.schema(
    [
        ("signal_id", pa.dictionary(pa.int32(), pa.string())),
        ("time", pa.timestamp("us", tz="UTC")),
        ("value", pa.float64()),
        ("quality", pa.uint32()),
    ]
)
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class HistorySummary:
    """What was written. start_us, end_us: first and last reading."""

    readings: int
    files: int
    bytes: int
    labels: int
    start_us: int
    end_us: int
    seconds: float


def write_history(
    out: Path,
    days: float,
    step_s: float,
    seed: int,
    end_us: int,
    assets: Sequence[str] | None = None,
    faults: bool = True,
    progress: Progress | None = None,
) -> HistorySummary:
    """Write `days` before end_us (cut to a whole second) into `out`: `<date>.parquet` a UTC day, sorted by time
    (signal_id, time, value, quality; NaN where a sensor was bad), labels.csv, plant.toml and the plant's state.

    assets: None = the whole demo plant. faults: injected faults and bearings that wear out. progress: told the
    share done, 0-1. Same arguments, same bytes. Raises InvalidInput."""
    begun = time.monotonic()
    machines = _chosen(demo_machines(), assets)
    step_us = _step(days, step_s)
    end_us -= end_us % SECOND
    steps = int(days * DAY) // step_us
    plant = SimulatedPlant(machines, seed, end_us - steps * step_us, wear_rate=1.0 if faults else 0.0)
    plant.warm_up()
    start = plant.now_us
    if faults:
        plant.episodes += plan_episodes(machines, seed, start, end_us)
    out.mkdir(parents=True, exist_ok=True)
    files = _write_days(plant, steps, step_us, out, progress)
    labels = plant.labels()
    write_labels(out / LABELS_FILE, labels)
    toml = demo_plant_toml("opc.tcp://127.0.0.1:4840/forewarn", "127.0.0.1", 5020, "127.0.0.1", 1883)
    (out / "plant.toml").write_text(toml, encoding="utf-8")
    plant.save(out / STATE_FILE)
    size = sum(f.stat().st_size for f in files)
    readings = steps * len(plant.signal_ids)
    seconds = time.monotonic() - begun
    return HistorySummary(readings, len(files), size, len(labels), start + step_us, end_us, seconds)


def _chosen(machines: Sequence[Machine], assets: Sequence[str] | None) -> list[Machine]:
    known = {m.id: m for m in machines}
    unknown = [a for a in assets or () if a not in known]
    if unknown:
        raise InvalidInput(f"unknown assets {', '.join(unknown)}; there are {', '.join(known)}", field="assets")
    return [m for m in machines if assets is None or m.id in assets]


def _step(days: float, step_s: float) -> int:
    step_us = round(step_s * SECOND) if math.isfinite(step_s) else 0
    if step_us < 1 or not 0.0 < days <= 3660.0 or days * DAY < step_us:
        raise InvalidInput(f"days {days} with steps of {step_s} s: days must be 0-3660 and hold at least one step")
    return step_us


def _write_days(plant: SimulatedPlant, steps: int, step_us: int, out: Path, progress: Progress | None) -> list[Path]:
    files: list[Path] = []
    writer: pq.ParquetWriter | None = None
    names = pa.array(plant.signal_ids)
    done = 0
    try:
        for block in plant.run(steps, step_us):
            days = block.time // DAY
            edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
            for start, stop in pairwise(edges):
                file = out / f"{to_rfc3339(int(days[start]) * DAY)[:10]}.parquet"
                if not files or files[-1] != file:
                    if writer is not None:
                        writer.close()
                    writer = _open(file)
                    files.append(file)
                assert writer is not None
                writer.write_table(_table(block, slice(start, stop), names))
            done += len(block.time)
            if progress is not None:
                progress(done / steps)
    finally:
        if writer is not None:
            writer.close()
    return files


def _open(file: Path) -> pq.ParquetWriter:
    """Instruments show few different values: a dictionary of them takes a third of what plain doubles take."""
    return pq.ParquetWriter(
        file,
        SCHEMA,
        compression="zstd",
        compression_level=3,
        use_dictionary=["signal_id", "value", "quality"],
        dictionary_pagesize_limit=4 << 20,
        column_encoding={"time": "DELTA_BINARY_PACKED"},
    )


def _table(block: Block, span: slice, names: pa.Array) -> pa.Table:
    time = block.time[span]
    k = len(names)
    signal = pa.DictionaryArray.from_arrays(pa.array(np.tile(np.arange(k, dtype=np.int32), len(time))), names)
    stamps = pa.array(np.repeat(time, k)).cast(SCHEMA.field("time").type)
    columns = [signal, stamps, pa.array(block.value[span].ravel()), pa.array(block.quality[span].ravel())]
    return pa.Table.from_arrays(columns, schema=SCHEMA)
