"""How well robust_z with its default persistence finds faults in SKAB (real pump test bed), on line and without labels.

Run: `FOREWARN_DATA=... python -m benchmarks.detection`. Protocol: per file the first 400 rows are warm-up, the rest is
judged point by point; no point-adjust. An alarm from second 150 on without any sensor scores F1 0.80 on this set
(faults lie at fixed places): read F1 only together with the false alarms before the fault.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from forewarn.contracts.stage import Carriage
from forewarn.domain.assets import Signal
from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.pipeline.score import ScoreStage
from forewarn.plugins.detectors.robust_z import RobustZ

WARM_UP = 400
NO_CHANNEL = ("file", "datetime", "anomaly", "changepoint")


@dataclass
class Kept:
    """An anomaly store in memory."""

    findings: dict[tuple[int, int], Finding] = field(default_factory=dict)

    def upsert(self, findings: list[Finding]) -> None:
        self.findings.update({(f.signal_key, f.started_at): f for f in findings})

    def open_episodes(self) -> tuple[Finding, ...]:
        return ()


def predicted(rows: pa.Table, time: NDArray[np.int64], batch_rows: int = 25) -> NDArray[np.bool_]:
    """Per row: whether an episode of any channel covers it."""
    channels = [name for name in rows.column_names if name not in NO_CHANNEL]
    table = SignalTable.of(Signal(f"p.{c}", "p", c, "x", "", key=i) for i, c in enumerate(channels, 1))
    kept: Any = Kept()
    view: Any = SimpleNamespace(revision=1, table=table)
    stage = ScoreStage([RobustZ()], kept, view)
    values = np.array([rows[c].to_numpy() for c in channels], np.float64)
    for number, first in enumerate(range(0, len(time), batch_rows), 1):
        when = time[first : first + batch_rows]
        n = len(when) * len(channels)
        signal = np.repeat(np.arange(1, len(channels) + 1, dtype=np.int32), len(when))
        part = values[:, first : first + batch_rows].ravel()
        batch = ReadingBatch(signal, np.tile(when, len(channels)), part, np.zeros(n, np.uint32), "skab", number)
        stage.handle(Carriage(number, number, (), batch))
    covered = np.zeros(len(time), np.bool_)
    for f in kept.findings.values():
        covered |= (time >= f.started_at) & (time <= (f.ended_at or f.last_at))
    return covered


def main(folder: str) -> None:
    skab = pq.read_table(Path(folder) / "skab/skab_v0.9.parquet")
    counts, inside, early, before, healthy_hours = np.zeros((2, 2), int), 0, 0, 0, 0.0
    names = sorted(set(skab["file"].to_pylist()))
    for name in names:
        rows = skab.filter(pc.equal(skab["file"], name)).sort_by("datetime")
        time = pc.cast(rows["datetime"], pa.timestamp("us")).cast(pa.int64()).to_numpy()
        truth = rows["anomaly"].to_numpy().astype(np.float64) > 0
        found = predicted(rows, time)
        np.add.at(counts, (truth[WARM_UP:].astype(int), found[WARM_UP:].astype(int)), 1)
        inside += bool(found[truth].any())
        early += bool(found[:WARM_UP].any())
        fault = int(np.flatnonzero(truth[WARM_UP:])[0]) + WARM_UP
        before += int(np.count_nonzero(np.diff(found[WARM_UP - 1 : fault].astype(int)) == 1))
        healthy_hours += (fault - WARM_UP) / 3600
    (tn, fp), (fn, tp) = counts
    print(f"F1 {2 * tp / (2 * tp + fp + fn):.3f}  false alarm rate {fp / (fp + tn):.1%}  missed {fn / (fn + tp):.1%}")
    print(
        f"{inside} of {len(names)} files with a finding in the labelled span; {early} with one in the first {WARM_UP}"
    )
    print(f"{before} false spells before the fault in {healthy_hours:.2f} healthy hours")


if __name__ == "__main__":
    data = os.environ.get("FOREWARN_DATA", "")
    if not (Path(data) / "skab").is_dir():
        sys.exit("FOREWARN_DATA names no folder with skab/skab_v0.9.parquet: nothing measured")
    main(data)
