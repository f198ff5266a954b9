"""Server-sent events as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from forewarn.api.alarms import AlarmEventView, AlarmView
from forewarn.api.anomalies import AnomalyView
from forewarn.contracts.alarm_store import Alarm, AlarmKey, AlarmStore
from forewarn.contracts.anomaly_store import AnomalyQuery, AnomalyStore
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.access import ALL, Scope
from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.errors import NotFound
from forewarn.domain.findings import AnomalyStatus, Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable

_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
# Up to here each finding or alarm is looked up by itself, beyond all at once.
_FEW: Final = 20
_FEW_ALARMS: Final = 200
_MANY: Final = 2_000

Told = tuple[str, str, bytes]


@dataclass(frozen=True, slots=True)
class Filter:
    """None = every. Both given: signals of that asset only. within: the part of the plant the listener may see."""

    asset_id: str | None = None
    signals: frozenset[str] | None = None
    within: Scope = ALL


def event(name: str, data: object, offset: int | None = None) -> bytes:
    """One event; `offset` becomes its id."""
    head = f"event: {name}\n" + (f"id: {offset}\n" if offset is not None else "")
    return head.encode() + b"data: " + orjson.dumps(data, option=_OPTIONS) + b"\n\n"


class EventEncoder:
    """`readings` is for the event loop's thread, `told` for a worker: it asks the catalog."""

    def __init__(self, plant: PlantView, anomalies: AnomalyStore, alarms: AlarmStore) -> None:
        self._plant = plant
        self._anomalies = anomalies
        self._alarms = alarms
        self._table: SignalTable | None = None
        self._names: NDArray[np.object_] = np.empty(0, object)
        self._masks: dict[Filter, NDArray[np.bool_]] = {}

    def shows(self, asset_id: str, scope: Scope) -> bool:
        """Whether the asset lies within what a listener may see."""
        if scope.everywhere:
            return True
        asset = self._plant.assets.get(asset_id)
        return asset is not None and scope.holds("/".join(asset.path))

    def readings(self, offset: int, readings: ReadingBatch, wanted: Filter) -> bytes:
        """The readings that the filter wants, b'' when there is none."""
        self._refresh()
        if wanted != Filter():
            mask = self._mask(wanted)
            rows = mask[np.minimum(readings.signal, len(mask) - 1)]
            if not rows.any():
                return b""
            readings = readings.take(rows)
        data = {
            "offset": offset,
            "signal": self._names[np.minimum(readings.signal, len(self._names) - 1)].tolist(),
            "time_ms": readings.time // 1_000,
            "value": np.ascontiguousarray(readings.value),
            "quality": np.ascontiguousarray(readings.quality),
        }
        return event("readings", data, offset)

    def _refresh(self) -> None:
        table = self._plant.table
        if table is not self._table:
            self._table = table
            # One row more than there are keys: readings of a plant newer than this view have no name yet.
            self._names = np.array([*(s.id if s else "" for s in table.signals), ""], object)
            self._masks.clear()

    def _mask(self, wanted: Filter) -> NDArray[np.bool_]:
        assert self._table is not None
        mask = self._masks.get(wanted)
        if mask is None:
            if len(self._masks) > 256:
                self._masks.clear()
            mask = np.zeros(len(self._names), np.bool_)
            assets = {a for a in self._plant.assets if self.shows(a, wanted.within)}
            if wanted.asset_id is not None:
                assets &= {wanted.asset_id}
            for s in self._table.signals:
                if s and s.asset_id in assets and (wanted.signals is None or s.id in wanted.signals):
                    mask[s.key] = True
            self._masks[wanted] = mask
        return mask

    def told(self, offset: int, findings: Sequence[Finding], alarm_events: Sequence[AlarmEvent]) -> list[Told]:
        """(asset, signal, bytes) of each finding, latest state only, and each alarm event."""
        episodes = {(f.signal_id, f.detector, f.started_at): f for f in findings}
        known = self._stored(list(episodes.values()))
        told: list[Told] = []
        for key, finding in episodes.items():
            anomaly_id, status = known.get(key, ("", AnomalyStatus.OPEN))
            view = AnomalyView.of_finding(finding, anomaly_id, status)
            told.append((finding.asset_id, finding.signal_id, event("anomaly", view.model_dump(), offset)))
        alarms = self._standing({(e.asset_id, e.rule_id) for e in alarm_events})
        for happened in alarm_events:
            alarm = alarms.get((happened.asset_id, happened.rule_id))
            if alarm is not None:
                data = {
                    "event": AlarmEventView.of(happened).model_dump(),
                    "alarm": AlarmView.of(alarm, self._plant).model_dump(),
                }
                told.append((alarm.rule.asset_id, alarm.rule.signal_id, event("alarm", data, offset)))
        return told

    def _stored(self, findings: Sequence[Finding]) -> dict[tuple[str, str, int], tuple[str, AnomalyStatus]]:
        if len(findings) <= _FEW:
            queries = [
                AnomalyQuery(signal_id=f.signal_id, start=f.started_at, end=f.started_at + 1, limit=_FEW)
                for f in findings
            ]
        else:
            first, last = min(f.started_at for f in findings), max(f.started_at for f in findings)
            queries = [AnomalyQuery(start=first, end=last + 1, limit=_MANY)]
        return {
            (a.finding.signal_id, a.finding.detector, a.finding.started_at): (a.id, a.status)
            for query in queries
            for a in self._anomalies.find(query)[0]
        }

    def _standing(self, keys: set[AlarmKey]) -> dict[AlarmKey, Alarm]:
        if len(keys) > _FEW_ALARMS:
            return {(a.rule.asset_id, a.rule.rule_id): a for a in self._alarms.rules()}
        found = {}
        for key in keys:
            try:
                found[key] = self._alarms.get(key)
            except NotFound:
                continue  # the rule was removed meanwhile
        return found
