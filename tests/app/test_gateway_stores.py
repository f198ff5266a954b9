"""A gateway's files after a power loss: it starts, says what is missing, and goes on."""

import contextlib
from pathlib import Path

import numpy as np

from forewarn.app.gateway.stores import open_stores
from forewarn.contracts.outbox import Tally, Urgency
from forewarn.domain.assets import Plant, Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.wire import Wire
from forewarn.kit.clock import now_us
from forewarn.policies.gateway_settings import GatewaySettings

PLANT = Plant((), (Signal("p1.flow", "p1", "flow", "flow", "m3/h"),))


def reading(sequence: int) -> ReadingBatch:
    return ReadingBatch(
        np.array([1], np.int32),
        np.array([sequence], np.int64),
        np.array([1.0]),
        np.zeros(1, np.uint32),
        "source\tplc",
        sequence,
    )


def test_a_raw_log_that_lost_its_end_is_told_and_goes_on_above_what_was_handled(tmp_path: Path) -> None:
    settings = GatewaySettings("line-1", tmp_path)
    with contextlib.ExitStack() as closing:
        stores = open_stores(settings, Conditions("", now_us), closing)
        for sequence in range(3):
            stores.log.append(reading(sequence)).result()
        # The outbox is of a disk that kept all, the raw log of one that forgot what came after its third batch.
        stores.outbox.pack([], Tally(8, 0, 8, 0), b"", 8)
    conditions = Conditions("", now_us)
    with contextlib.ExitStack() as closing:
        stores = open_stores(settings, conditions, closing)
        (held,) = conditions.now()
        assert held.code is ConditionCode.BUFFER_DAMAGED
        assert "its last 5 batches" in held.text
        assert stores.log.append(reading(3)).result().offset == 9
        found = stores.log.read(0, 100)
        assert [len(batch) for _, batch in found] == [1, 1, 1, 0, 0, 0, 0, 0, 1]


def test_with_both_copies_of_the_names_gone_nothing_that_waits_gets_another_signals_name(tmp_path: Path) -> None:
    settings = GatewaySettings("line-1", tmp_path)
    with contextlib.ExitStack() as closing:
        stores = open_stores(settings, Conditions("", now_us), closing)
        stores.keys.take(PLANT)
        stores.log.append(reading(1)).result()
        waits = Series(np.array([6], np.int32), np.array([1]), np.array([1.0]), np.zeros(1, np.uint32))
        stores.outbox.pack([Wire().readings(waits, Urgency.NORMAL)], Tally(1, 1, 0, 0), b"", 1)
    for lost in [*tmp_path.glob("gateway.db*"), tmp_path / "signals.tsv"]:
        lost.unlink()
    conditions = Conditions("", now_us)
    with contextlib.ExitStack() as closing:
        stores = open_stores(settings, conditions, closing)
        (held,) = conditions.now()
        assert held.code is ConditionCode.BUFFER_DAMAGED
        assert "2 keys that have lost" in held.text
        (signal,) = stores.keys.take(PLANT)
        assert signal.key == 7
        assert stores.keys.id_of() == {7: "p1.flow"}
