"""Tells the site how far machines have come from what their models know: of what it does not know, some at a time."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from forewarn.domain.model_delivery import DriftNews, MachineDrift
from forewarn.kit.clock import MINUTE
from forewarn.policies.model_delivery import drift_to_tell

_MOST_SIGNALS: Final = 1_000  # in one heartbeat: some 40 kB
_AGAIN_US: Final = 10 * MINUTE  # as often as a machine is judged


class DriftTeller:
    """For the event loop. What is told of a machine bears a number, greater than any before, also of a process before:
    the site answers with the greatest that it knows."""

    def __init__(self, judged: Callable[[], Mapping[str, MachineDrift]], clock: Callable[[], int]) -> None:
        """judged: by asset id, as it is now; another object where it was judged anew. clock: microseconds UTC."""
        self._judged, self._clock = judged, clock
        self._first = self._number = clock()
        self._seen: dict[str, MachineDrift] = {}
        self._news: dict[str, tuple[int, MachineDrift | None]] = {}  # by asset id: None: nothing of it is judged now
        self._known: int | None = None  # what the site said last
        self._telling: tuple[int, int] | None = None  # in this heartbeat: our number, and what the site knew
        self._refused: tuple[tuple[int, int] | None, int] = None, 0  # what it took none of, and when

    def told(self) -> DriftNews | None:
        """For a heartbeat; None where the site knows all, or wants nothing of it."""
        self._look()
        self._telling = None
        if self._known is None or self._number == self._known or self._is_refused((self._number, self._known)):
            return None
        self._telling = self._number, self._known
        since = self._known if self._first <= self._known <= self._number else 0
        fresh = sorted((number, asset_id) for asset_id, (number, _) in self._news.items() if number > since)
        machines: dict[str, MachineDrift | None] = {}
        until, signals = self._number, 0
        for number, asset_id in fresh:
            told = self._news[asset_id][1]
            signals += 1 if told is None else 1 + len(told.signals)
            if machines and signals > _MOST_SIGNALS:
                break
            machines[asset_id], until = told, number
        return DriftNews(since, until if len(machines) < len(fresh) else self._number, machines)

    def heard(self, answer: Mapping[str, Any]) -> None:
        """The answer to a heartbeat. A site that says nothing of it is not told before it does. One that took none of
        the heartbeat is told again once something has changed, here or of what it knows, or after minutes."""
        known = answer.get("drift")
        self._known = known if isinstance(known, int) else None
        if self._known is None:
            if self._telling is not None:
                self._refused = self._telling, self._clock()
            return
        gone = [a for a, (number, told) in self._news.items() if told is None and number <= self._known]
        for asset_id in gone:
            del self._news[asset_id]

    def _is_refused(self, telling: tuple[int, int]) -> bool:
        what, at = self._refused
        return telling == what and 0 <= self._clock() - at < _AGAIN_US

    def _look(self) -> None:
        judged = self._judged()
        for asset_id, drift in judged.items():
            if self._seen.get(asset_id) is drift:
                continue
            self._seen[asset_id] = drift
            before = self._news.get(asset_id)
            told = drift_to_tell(drift, None if before is None else before[1])
            if told is not None:
                self._put(asset_id, told)
        for asset_id in self._seen.keys() - judged.keys():
            del self._seen[asset_id]
            self._put(asset_id, None)

    def _put(self, asset_id: str, told: MachineDrift | None) -> None:
        self._number += 1
        self._news[asset_id] = self._number, told
