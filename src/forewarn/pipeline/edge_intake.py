"""What edge gateways told besides readings, waiting for the line's next step."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.findings import Finding

# While the line stands still: the newest say enough.
_MOST_PULSES: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Pulse:
    """One heartbeat: keys of the signals that live and of those that are silent, and when it came."""

    alive: NDArray[np.int32]
    silent: NDArray[np.int32]
    at: int


class EdgeDesk:
    """EdgeIntake for the stages of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._findings: list[Finding] = []
        self._pulses: deque[Pulse] = deque(maxlen=_MOST_PULSES)
        self._scored: dict[str, NDArray[np.int32]] = {}
        self._mask = np.zeros(0, np.bool_)
        self._vouched = np.zeros(0, np.int64)

    def found(self, findings: Sequence[Finding]) -> None:
        with self._lock:
            self._findings.extend(findings)

    def heard(self, alive: NDArray[np.int32], silent: NDArray[np.int32], at: int) -> None:
        with self._lock:
            self._pulses.append(Pulse(alive, silent, at))
            if len(alive) and (more := int(alive.max()) + 1 - len(self._vouched)) > 0:
                self._vouched = np.concatenate((self._vouched, np.zeros(more, np.int64)))
            self._vouched[alive] = at

    def scores(self, gateway: str, keys: NDArray[np.int32]) -> None:
        with self._lock:
            self._scored[gateway] = keys
            mask = np.zeros(max((int(k.max()) + 1 for k in self._scored.values() if len(k)), default=0), np.bool_)
            for each in self._scored.values():
                mask[each] = True
            self._mask = mask

    @property
    def has_findings(self) -> bool:
        return bool(self._findings)

    def take_findings(self) -> list[Finding]:
        """What was found since the last call."""
        with self._lock:
            taken, self._findings = self._findings, []
            return taken

    def take_pulses(self) -> list[Pulse]:
        with self._lock:
            taken = list(self._pulses)
            self._pulses.clear()
            return taken

    def scored(self, size: int) -> NDArray[np.bool_]:
        """By key below `size`: some gateway scores the signal."""
        mask = self._mask[:size]
        return mask if len(mask) == size else np.concatenate((mask, np.zeros(size - len(mask), np.bool_)))

    def scored_by(self) -> dict[str, NDArray[np.int32]]:
        """Keys of the signals that each gateway scores, by its name; those that score none are left out."""
        with self._lock:
            return {name: keys for name, keys in self._scored.items() if len(keys)}

    def vouched(self, size: int) -> NDArray[np.int64]:
        with self._lock:
            known = self._vouched[:size].copy()
        return known if len(known) == size else np.concatenate((known, np.zeros(size - len(known), np.int64)))
