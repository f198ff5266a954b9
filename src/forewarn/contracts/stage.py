"""One step of the road."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch


@dataclass(frozen=True, slots=True, eq=False)
class Carriage:
    """What walks the line: log batches in order, their rows as one batch, and what was found so far.

    first, last: log offsets covered. batches: as they lie in the log. readings: all rows, ordered by
    (signal, time). findings: episodes opened, changed or closed. alarm_events: what the judge did.
    One that a `tick` made has no batches: it is never told twice, whatever its offsets.
    """

    first: int
    last: int
    batches: Sequence[tuple[int, ReadingBatch]]
    readings: ReadingBatch
    findings: Sequence[Finding] = ()
    alarm_events: Sequence[AlarmEvent] = ()

    def with_findings(self, findings: Sequence[Finding]) -> "Carriage":
        return replace(self, findings=(*self.findings, *findings))

    def with_alarm_events(self, events: Sequence[AlarmEvent]) -> "Carriage":
        return replace(self, alarm_events=(*self.alarm_events, *events))


def beside(offset: int, *, findings: Sequence[Finding] = (), alarm_events: Sequence[AlarmEvent] = ()) -> Carriage:
    """A carriage without readings, for what a `tick` found. offset: what its stage has handled."""
    none = np.zeros(0)
    nothing = ReadingBatch(none.astype(np.int32), none.astype(np.int64), none, none.astype(np.uint32), "", offset)
    return Carriage(offset, offset, (), nothing, findings, alarm_events)


class Stage(Protocol):
    """Knows only contracts. Idempotent per offset: handed what it has handled before, it changes nothing."""

    name: str

    def handle(self, carriage: Carriage) -> Carriage:
        """Do this stage's work and return what the next one gets. An exception stops the line at this
        carriage; the line tries again, so nothing is skipped."""
        ...

    def tick(self, now_us: int) -> Carriage | None:
        """Called about once a second though nothing arrives (timers, silence). None = nothing happened."""
        ...
