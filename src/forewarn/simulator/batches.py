"""Blocks of the plant as batches of readings, and the demo's past."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import DAY, HOUR, SECOND
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.episodes import Episode, write_labels
from forewarn.simulator.faults import component
from forewarn.simulator.plant import Block, SimulatedPlant

STATE_FILE = "plant-state.json"
LABELS_FILE = "labels.csv"
_ROWS = 50_000


def history_batches(
    plant: SimulatedPlant,
    spans: Sequence[tuple[int, int]],
    key_of: Mapping[str, int],
    gateway: str = "simulator",
    first_sequence: int = 1,
    rows: int = _ROWS,
) -> Iterator[ReadingBatch]:
    """Batches of about `rows` readings in time order, from the plant's `now_us` on.

    spans: (steps, step_us), one after the other. key_of: signal id -> key; signals without one are left out."""
    wanted = np.array([i for i, s in enumerate(plant.signal_ids) if s in key_of], np.intp)
    keys = np.array([key_of[plant.signal_ids[i]] for i in wanted], np.int32)
    sequence = first_sequence
    if not len(keys):
        return
    per_batch = max(rows // len(keys), 1)
    for steps, step_us in spans:
        for block in plant.run(steps, step_us):
            for start in range(0, len(block.time), per_batch):
                yield _batch(block, slice(start, start + per_batch), wanted, keys, gateway, sequence)
                sequence += 1


def _batch(
    block: Block,
    span: slice,
    wanted: NDArray[np.intp],
    keys: NDArray[np.int32],
    gateway: str,
    sequence: int,
) -> ReadingBatch:
    time = block.time[span]
    return ReadingBatch(
        np.tile(keys, len(time)),
        np.repeat(time, len(keys)),
        block.value[span][:, wanted].ravel(),
        block.quality[span][:, wanted].ravel(),
        gateway,
        sequence,
    )


def demo_past(
    state_dir: Path,
    key_of: Mapping[str, int],
    end_us: int,
    seed: int = 1,
    coarse_days: float = 2.0,
    fine_hours: float = 2.0,
) -> Iterator[ReadingBatch]:
    """A past for the demo that ends at end_us: `coarse_days` at 10 s, then `fine_hours` at 1 Hz, healthy but for
    one bearing that was repaired. When exhausted, the plant's state lies in state_dir; `run_live` goes on from it."""
    end_us -= end_us % SECOND
    fine, coarse = int(fine_hours * 3600), int((coarse_days * DAY - fine_hours * HOUR) // (10 * SECOND))
    start = end_us - fine * SECOND - coarse * 10 * SECOND
    plant = SimulatedPlant(demo_machines(), seed, start)
    plant.warm_up()
    plant.episodes += _past_episode(start, end_us)
    yield from history_batches(plant, ((coarse, 10 * SECOND), (fine, SECOND)), key_of)
    plant.save(state_dir / STATE_FILE)
    write_labels(state_dir / LABELS_FILE, plant.labels())


def _past_episode(start: int, end_us: int) -> list[Episode]:
    """Bearing wear on pump-102 that grew for a quarter of the past and was repaired in the middle of it."""
    length = end_us - start
    begun, ended = start + length // 4, start + length // 2
    part = component("bearing_wear", "centrifugal_pump")
    return [Episode("pump-102", "bearing_wear", part, 0.85, begun, (ended - begun) / SECOND, None, ended)]
