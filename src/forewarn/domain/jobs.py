"""Slow work that outlives the process that does it: a job of items, each done once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class JobState(StrEnum):
    """WAITING: nobody has begun. RUNNING: somebody holds it, or held it and died: another goes on. The others are
    ends."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class ItemState(StrEnum):
    """NOT_ENOUGH: there was too little data, which is no fault."""

    WAITING = "waiting"
    DONE = "done"
    NOT_ENOUGH = "not_enough_data"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobItem:
    """One machine of a job. text: what became of it, in words. result: id of what was made, '' for nothing."""

    asset_id: str
    state: ItemState = ItemState.WAITING
    text: str = ""
    result: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """kind: what is done to each machine. settings: JSON values. by: who asked. created_at, ended_at: microseconds
    UTC. phase: what is done now, in words, where it is not machine by machine."""

    id: str
    kind: str
    by: str
    created_at: int
    items: tuple[JobItem, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    state: JobState = JobState.WAITING
    ended_at: int | None = None
    phase: str = ""

    @property
    def done(self) -> int:
        """Items that are no longer waiting."""
        return sum(item.state is not ItemState.WAITING for item in self.items)


@dataclass(frozen=True, slots=True)
class Attempts:
    """At one machine, in jobs of one kind. last_at, done_at, cancelled_at: when the newest job of all, of those that
    came to something, and of those that were cancelled before it was its turn, was asked for; 0: there is none.
    in_vain: how often it came to nothing since `done_at`. is_open: a job is yet to come to it."""

    last_at: int = 0
    done_at: int = 0
    cancelled_at: int = 0
    in_vain: int = 0
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class NextTraining:
    """When a machine is to be learned next, microseconds UTC; None: as soon as what `why` names is there. why: in
    words."""

    at: int | None
    why: str
