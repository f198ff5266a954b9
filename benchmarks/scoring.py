"""Promise: the four detectors, episodes and the judge cost at most 700 ns a reading, so that 500,000 readings a second
over 10,000 signals take 35 % of one core. Run: `python -m benchmarks.scoring [signals] [readings a second]`."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from forewarn.contracts.alarm_store import Alarm
from forewarn.contracts.stage import Carriage
from forewarn.domain.alarms import AlarmStatus
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.domain.assets import Limits as Band
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.pipeline.judge import JudgeStage
from forewarn.pipeline.score import ScoreStage
from forewarn.plugins.detectors.flatline import Flatline
from forewarn.plugins.detectors.limits import Limits
from forewarn.plugins.detectors.rate_of_change import RateOfChange
from forewarn.plugins.detectors.robust_z import RobustZ
from forewarn.policies.rules import default_rules

_START = 1_700_000_000_000_000


def plant(signals: int, rate_hz: float) -> Any:
    """A plant view of assets with ten signals each, the first being speed."""
    rows = [
        Signal(
            id=f"a{k // 10}.s{k % 10}",
            asset_id=f"a{k // 10}",
            name=f"s{k % 10}",
            kind="speed" if k % 10 == 0 else "temperature",
            unit="u",
            key=k + 1,
            range_low=0.0,
            range_high=150.0,
            limits=Band(20.0, 40.0, 130.0, 140.0),
            max_rate_per_s=1e6,
            flatline_s=60.0,
            running_above=10.0 if k % 10 == 0 else None,
            rate_hz=rate_hz,
        )
        for k in range(signals)
    ]
    return SimpleNamespace(revision=1, table=SignalTable.of(rows), assets={}, signals=rows)


def batch(signals: int, per_signal: int, number: int, random: np.random.Generator) -> ReadingBatch:
    """One second of every signal, ordered by (signal, time)."""
    n = signals * per_signal
    signal = np.repeat(np.arange(1, signals + 1, dtype=np.int32), per_signal)
    offset = np.tile(np.arange(per_signal, dtype=np.int64) * (1_000_000 // per_signal), signals)
    value = 100 + random.normal(0, 1, n)
    return ReadingBatch(signal, _START + number * 1_000_000 + offset, value, np.zeros(n, np.uint32), "gw", number)


def timed(title: str, work: Callable[[ReadingBatch], object], batches: Sequence[ReadingBatch]) -> None:
    """Nanoseconds a reading of `work`, and the share of a core at 500,000 a second."""
    started = time.process_time()
    for one in batches:
        work(one)
    spent = (time.process_time() - started) / sum(len(one) for one in batches)
    print(f"{title:36s} {spent * 1e9:8.1f} ns/reading {spent * 500_000 * 100:6.1f} % of a core at 500,000/s")


def main(signals: int = 10_000, rate: int = 500_000) -> None:
    random = np.random.default_rng(0)
    per_signal = max(rate // signals, 1)
    view = plant(signals, per_signal)
    batches = [batch(signals, per_signal, i, random) for i in range(8)]
    for detector in (Limits(), RateOfChange(), Flatline(), RobustZ(warm_up=4)):
        detector.configure(view.table)
        timed(f"{detector.name}, first batches", detector.score, batches[:3])
        timed(f"{detector.name}, after", detector.score, batches[3:])
    stage = ScoreStage([Limits(), RateOfChange(), Flatline(), RobustZ(warm_up=4)], quiet_anomalies(), view)
    judge = JudgeStage(quiet_alarms(view), view, lambda: _START)
    for one in batches:
        stage.handle(Carriage(one.sequence, one.sequence, (), one))
    later = [batch(signals, per_signal, i, random) for i in range(8, 14)]
    timed("score stage (all four, episodes)", lambda b: stage.handle(_carriage(b)), later)
    timed("judge stage", lambda b: judge.handle(_carriage(b)), later)
    upset = [batch(signals, per_signal, i, random) for i in range(14, 20)]
    upset = [replace(b, value=np.where(b.signal % 100 == 7, 145.0, b.value)) for b in upset]
    timed("both, 1 % of the signals in alarm", lambda b: judge.handle(stage.handle(_carriage(b))), upset)


def _carriage(one: ReadingBatch) -> Carriage:
    return Carriage(one.sequence, one.sequence, (), one)


def quiet_anomalies() -> Any:
    """A store that keeps nothing: the catalog is not what is measured here."""
    return SimpleNamespace(upsert=lambda findings: None, open_episodes=lambda: ())


def quiet_alarms(view: Any) -> Any:
    """Four limit rules and an advisory a signal, in a store that only answers."""
    plant_file = Plant((Asset("a", "a", ("e", "s", "a", "l")),), tuple(replace(s, asset_id="a") for s in view.signals))
    alarms = [Alarm(f"a/{r.rule_id}", r, AlarmStatus()) for r in default_rules(plant_file)]
    return SimpleNamespace(
        rules=lambda: alarms, change_all=lambda changes, stage, offset: (), find=lambda states, asset, priorities: ()
    )


if __name__ == "__main__":
    main(*(int(given) for given in sys.argv[1:] if given.isdigit()))
