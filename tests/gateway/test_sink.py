"""What a source's sink remembers of its readings."""

from concurrent.futures import Future

import numpy as np

from forewarn.contracts.batch_log import Appended
from forewarn.contracts.door import Submission
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.verdicts import REASONS, Reason, Verdict, Verdicts
from forewarn.gateway.gaps import Gaps
from forewarn.gateway.health import SourceHealth
from forewarn.gateway.sink import BatchNumbers, DoorSink
from forewarn.kit.clock import HOUR, SECOND

NOW = 1_800_000_000 * SECOND


class Door:
    """Rejects what lies in the future."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def submit(self, batch: ReadingBatch, reason: object = None) -> Submission:
        future = batch.time > NOW
        self.taken += batch.time[~future].tolist()
        verdict = np.where(future, np.uint8(Verdict.REJECTED), np.uint8(Verdict.ACCEPTED))
        code = np.where(future, np.uint8(REASONS.index(Reason.TIME_IN_FUTURE)), np.uint8(0))
        appended: Future[Appended] = Future()
        appended.set_result(Appended(1, False))
        return Submission(Verdicts(verdict, code), appended)


async def test_what_was_rejected_hides_nothing_that_comes_after_it() -> None:
    """A device whose clock was ahead: its history is asked for from the last reading that is stored, and the gap that
    its loss leaves begins now."""
    door, key = Door(), np.array([1], np.int32)
    health = SourceHealth("plc", "opcua", 30 * SECOND, lambda: NOW)
    sink = DoorSink(health, door, BatchNumbers(-1), {1: "p1.flow"}, lambda: NOW, Gaps().of("plc", exact=False))
    for at in (NOW - SECOND, NOW + HOUR):
        await sink.put(key, np.array([at]), np.ones(1), np.zeros(1, np.uint32))
    assert sink.newest(key).tolist() == [NOW - SECOND]
    await sink.mark_gap()
    assert door.taken == [NOW - SECOND, NOW]
    status = health.status()
    assert (status.readings, status.rejected) == (2, 1)
    told = [c.text for c in health.conditions() if c.code is ConditionCode.READINGS_REJECTED]
    assert told == [f"signal p1.flow: {Reason.TIME_IN_FUTURE}"]
