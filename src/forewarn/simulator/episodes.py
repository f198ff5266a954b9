"""A fault from its start to its repair, and the ground truth written from it."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.kit.clock import SECOND, to_rfc3339
from forewarn.simulator.quantities import Array

LABEL_COLUMNS: Final = (
    "asset_id",
    "fault",
    "component",
    "severity",
    "started_at",
    "functional_failure_at",
    "ended_at",
)


@dataclass(slots=True)
class Episode:
    """severity 0-1 is reached ramp_s after started_at. Times are microseconds UTC, None = not (yet).

    functional_failure_at: the machine trips then and stands until ended_at, when it is repaired.
    natural: grown out of the wear state, which carries its own severity; the ramp does not apply."""

    asset_id: str
    fault: str
    component: str
    severity: float
    started_at: int
    ramp_s: float = 0.0
    functional_failure_at: int | None = None
    ended_at: int | None = None
    natural: bool = False

    def severity_at(self, times: NDArray[np.int64]) -> Array:
        """Zero before the start and from the repair on."""
        ramp = max(self.ramp_s, 1e-6) * SECOND
        grown = np.clip((times - self.started_at) / ramp, 0.0, 1.0) * self.severity
        if self.ended_at is not None:
            grown = np.where(times < self.ended_at, grown, 0.0)
        return grown

    def known_at(self, now: int) -> "Episode":
        """The same without what lies after `now`."""
        failed, ended = self.functional_failure_at, self.ended_at
        return replace(
            self,
            functional_failure_at=None if failed is None or failed > now else failed,
            ended_at=None if ended is None or ended > now else ended,
        )

    def touches(self, first: int, last: int) -> bool:
        return self.started_at <= last and (self.ended_at is None or self.ended_at > first)

    def down(self, times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """True while the machine stands failed."""
        if self.functional_failure_at is None:
            return np.zeros(len(times), np.bool_)
        failed = times >= self.functional_failure_at
        return failed if self.ended_at is None else failed & (times < self.ended_at)


def labels_csv(episodes: Iterable[Episode]) -> str:
    """Ground truth, oldest first; times RFC 3339, empty where it did not (yet) happen."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(LABEL_COLUMNS)
    for e in sorted(episodes, key=lambda e: (e.started_at, e.asset_id, e.fault)):
        times = (e.started_at, e.functional_failure_at, e.ended_at)
        rows.writerow(
            (
                e.asset_id,
                e.fault,
                e.component,
                round(e.severity, 3),
                *("" if t is None else to_rfc3339(t) for t in times),
            )
        )
    return text.getvalue()


def write_labels(path: Path, episodes: Sequence[Episode]) -> None:
    """Replace the file as a whole, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(labels_csv(episodes), encoding="utf-8")
    temporary.replace(path)
