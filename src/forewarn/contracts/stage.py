"""One step of the road."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch


@dataclass(frozen=True, slots=True, eq=False)
class Carriage:
    """What walks the line: log batches in order, their rows as one batch, and what was found so far.

    first, last: log offsets covered. batches: as they lie in the log. readings: all rows, ordered by
    (signal, time). findings: episodes opened, changed or closed. alarm_events: what the judge did.
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
