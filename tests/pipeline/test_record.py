"""Record and publish hand on exactly what they are given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from forewarn.contracts.batch_log import LogDepth
from forewarn.contracts.historian import Historian
from forewarn.contracts.stage import Carriage
from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.pipeline.publish import PublishStage
from forewarn.pipeline.record import RecordStage, WatermarkOffsets
from tests.pipeline.plant import readings


@dataclass
class Store:
    """The part of a historian that the stage uses."""

    watermark: int = 4
    taken: list[tuple[int, ReadingBatch]] = field(default_factory=list)
    flushed: int = 0

    def append(self, batches: Sequence[tuple[int, ReadingBatch]]) -> None:
        self.taken += batches

    def flush(self) -> None:
        self.flushed += 1


class Feed:
    def __init__(self) -> None:
        self.told: list[tuple[int, ReadingBatch]] = []

    def publish(
        self, offset: int, rows: ReadingBatch, findings: Sequence[Finding], alarm_events: Sequence[AlarmEvent]
    ) -> None:
        self.told.append((offset, rows))


def holding(held: int) -> Callable[[], LogDepth]:
    """The depth of a log that holds so many bytes of 100."""
    return lambda: LogDepth(1, held, 100, 1, {})


def stage_of(store: Store, held: int = 10) -> RecordStage:
    return RecordStage(cast(Historian, store), holding(held))


def carriage(rows: Sequence[tuple[int, int, float]]) -> Carriage:
    batch = readings(1, rows)
    return Carriage(5, 5, [(5, batch)], batch)


def test_the_historian_gets_the_batches_with_their_offsets_empty_ones_too() -> None:
    store = Store()
    stage = stage_of(store)
    for given in (carriage([(1, 1, 1.0)]), carriage([])):
        assert stage.handle(given) is given
    assert [(offset, len(batch)) for offset, batch in store.taken] == [(5, 1), (5, 0)]
    assert stage.tick(0) is None


@pytest.mark.parametrize(("held", "flushed"), [(49, 0), (51, 1)])
def test_a_half_full_log_makes_the_historian_write(held: int, flushed: int) -> None:
    store = Store()
    assert stage_of(store, held).tick(0) is None
    assert store.flushed == flushed


def test_the_record_stage_stands_where_the_historian_is_durable() -> None:
    offsets = WatermarkOffsets(cast(Historian, Store()))
    offsets.set("record", 9)
    assert offsets.get("record") == 4


def test_listeners_are_not_told_of_nothing() -> None:
    feed = Feed()
    stage = PublishStage(feed)
    stage.handle(carriage([]))
    full = carriage([(1, 1, 1.0)])
    assert stage.handle(full) is full
    assert feed.told == [(5, full.readings)]
    assert stage.tick(0) is None
