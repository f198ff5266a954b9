"""Score: every detector sees every good reading; what lasts becomes a finding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from forewarn.contracts.anomaly_store import AnomalyQuery, AnomalyStore
from forewarn.contracts.detector import Detector
from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.raw_ring import Recollection
from forewarn.contracts.stage import Carriage, beside
from forewarn.domain.findings import BY_CONDITION, BY_EDGE, Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.status import is_good
from forewarn.learning.machine_watch import MachineWatch
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.policies.episodes import Episode, EpisodeSettings, EpisodeTracker
from forewarn.policies.severity import severity_of

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_MOST_ENDED: Final = 1_000
_STATISTICAL: Final = EpisodeSettings(k=5, n=20, on_s=5.0, off_s=30.0)
PERSISTENCE: Final[Mapping[str, EpisodeSettings]] = {
    "limits": EpisodeSettings(off_s=10.0),
    "rate_of_change": EpisodeSettings(off_s=30.0),
    "flatline": EpisodeSettings(off_s=10.0),
    # One reading of a window has an opinion, and the detector itself waits for the second window.
    "vibration": EpisodeSettings(off_s=30.0),
}
# Where a machine's own model speaks for a signal, these learn on and are silent: they have no budget of false alarms.
SUPERSEDED: Final = frozenset({"robust_z"})


@dataclass(frozen=True, slots=True)
class _Watch:
    detector: Detector
    tracker: EpisodeTracker


class ScoreStage:
    """A finding is written when its episode opens, closes, rises by 0.05 or has lasted another minute.

    On the first carriage after a start all open findings, and those of gateways that ended lately, are told again, so
    that the judge knows the whole. A
    carriage that the line tries again (this or a later stage failed) gets the findings it got before.

    What an edge gateway scores is not scored here, where only a thinned part of it arrives; its findings are in the
    catalog already and join the line here.
    """

    name = "score"

    def __init__(
        self,
        detectors: Sequence[Detector],
        anomalies: AnomalyStore,
        plant: PlantView,
        persistence: Mapping[str, EpisodeSettings] = PERSISTENCE,
        edge: EdgeDesk | None = None,
        machines: MachineWatch | None = None,
    ) -> None:
        """persistence: by detector name; 5 of 20 readings over at least 5 s where it says nothing. edge: what
        gateways tell; None = there are none. machines: trained models; None = there are none."""
        self._watches = [_Watch(d, EpisodeTracker(persistence.get(d.name, _STATISTICAL))) for d in detectors]
        self._machines = machines
        self._anomalies = anomalies
        self._plant = plant
        self._edge, self._has_gateways = edge or EdgeDesk(), edge is not None
        self._revision: int | None = None
        self._table = plant.table  # one carriage sees one plant
        self._elsewhere = np.zeros(0, np.bool_)  # by key: a gateway scores it
        self._handled = -1
        self._ours: list[Finding] = []
        self._told: list[Finding] = []
        self._resumed = False

    def handle(self, carriage: Carriage) -> Carriage:
        again = carriage.first <= self._handled
        ours, told = (self._ours, self._told) if again else ([], [])
        if carriage.last > self._handled:
            self._follow_plant()
            # What was open comes first: a gateway may tell its end in the same breath.
            before = self._resume()
            ours = ours + self._follow_edge() + self._score(self._known_good(carriage.readings))
            told = told + before + self._edge.take_findings()
            self._ours, self._told, self._handled = ours, told, carriage.last
        if ours:
            self._anomalies.upsert(ours)
        return carriage.with_findings((*told, *ours)) if told or ours else carriage

    def tick(self, now_us: int) -> Carriage | None:
        """What gateways found while no reading comes; findings of our own live by source time."""
        if not self._edge.has_findings:
            return None
        self._follow_plant()
        findings = self._resume() + self._edge.take_findings()
        return beside(max(self._handled, 0), findings=findings)

    def warm(self, historian: Recollection, now_us: int, hours: int = 36, recent_s: int = 1_200) -> None:
        """Let the detectors learn from the past: the first half minute of each of the last `hours`, and all of
        the last `recent_s` seconds. Raises no finding."""
        self._follow_plant()
        keys = np.flatnonzero(self._table.known).astype(np.int32)
        if not len(keys):
            return
        recent = now_us - recent_s * 1_000_000
        spans = [(now_us - h * _HOUR_US, now_us - h * _HOUR_US + 30_000_000) for h in range(hours, 0, -1)]
        for start, end in [s for s in spans if s[1] <= recent] + [(recent, now_us)]:
            past = historian.raw(keys, start, end)
            batch = self._known_good(ReadingBatch(past.signal, past.time, past.value, past.quality, "", 0))
            if len(batch):
                for watch in self._watches:
                    watch.detector.score(batch)
                if self._machines is not None and end == now_us:
                    self._machines.warm(batch)

    def _follow_plant(self) -> None:
        if self._plant.revision == self._revision:
            return
        self._revision, table = self._plant.revision, self._plant.table
        self._table = table
        for watch in self._watches:
            watch.detector.configure(table)
            watch.tracker.resize(table.size)
        if self._machines is not None:
            self._machines.configure(table)

    def _resume(self) -> list[Finding]:
        """Once: take up the episodes that were open when the last process ended; a gateway's, when we score now."""
        if self._resumed:
            return []
        size, open_now = self._table.size, self._anomalies.open_episodes()
        elsewhere = self._edge.scored(size)
        mine = [f for f in open_now if f.signal_key < size]
        self._take_up([f for f in mine if f.detected_by != BY_EDGE or not elsewhere[f.signal_key]])
        self._resumed = True
        return [*self._lately_ended({_watched(f) for f in open_now}), *open_now]

    def _take_up(self, episodes: Sequence[Finding]) -> None:
        for watch in self._watches:
            watch.tracker.resume([f for f in episodes if f.detector == watch.detector.name])
        if self._machines is not None:
            self._machines.resume(episodes)

    def _lately_ended(self, standing: set[tuple[int, bool]]) -> list[Finding]:
        """What gateways told within a day and is over: the last process may have died before the judge heard of it,
        and an alarm that it raised already is not raised twice. The last of each signal, as an older one would end
        what a newer one raised; none where a finding stands."""
        if not self._has_gateways:
            return []
        newest, _ = self._anomalies.find(AnomalyQuery(limit=_MOST_ENDED))
        since = max((a.created_at for a in newest), default=0) - _DAY_US
        told = [a.finding for a in newest if a.created_at >= since and a.finding.ended_at is not None]
        by_edge = [f for f in told if f.detected_by == BY_EDGE and _watched(f) not in standing]
        last = {_watched(f): f for f in sorted(by_edge, key=lambda f: f.last_at)}
        return list(last.values())

    def _follow_edge(self) -> list[Finding]:
        """Whose signals a gateway scores from now on, it tells how they go on: our own episodes of them end. Of those
        that none scores any more, what the gateway left open is ours to end."""
        before, now = self._elsewhere, self._edge.scored(self._table.size)
        if len(before) == len(now) and (before is now or bool((before == now).all())):
            return []
        size = min(len(before), len(now))
        back = before[:size] & ~now[:size]
        self._elsewhere = now
        if back.any():
            self._take_up(
                [f for f in self._anomalies.open_episodes() if f.signal_key < len(back) and back[f.signal_key]]
            )
        ended = [
            self._finding(watch.detector, replace(episode, ended_at=episode.last_at))
            for watch in self._watches
            for episode in watch.tracker.let_go(now)
        ]
        return ended if self._machines is None else ended + self._machines.let_go(now)

    def _known_good(self, readings: ReadingBatch) -> ReadingBatch:
        known = self._table.known
        usable = is_good(readings.quality) & (readings.signal < len(known))
        ours = known & ~self._edge.scored(len(known))
        usable[usable] = ours[readings.signal[usable]]
        return readings if usable.all() else readings.take(usable)

    def _score(self, readings: ReadingBatch) -> list[Finding]:
        if not len(readings):
            return [] if self._machines is None else self._machines.ended()
        found = [finding for watch in self._watches for finding in self._findings(watch, readings)]
        return found if self._machines is None else found + self._machines.score(readings)

    def _findings(self, watch: _Watch, readings: ReadingBatch) -> list[Finding]:
        scores = watch.detector.score(readings)
        score = scores.score
        if self._machines is not None and watch.detector.name in SUPERSEDED:
            score = np.where(self._machines.judges(self._table.size)[readings.signal], np.nan, score)
        episodes = watch.tracker.track(readings, score, scores.expected)
        return [self._finding(watch.detector, episode) for episode in episodes]

    def _finding(self, detector: Detector, episode: Episode) -> Finding:
        signal = self._table.signals[episode.signal]
        assert signal is not None, "only known signals are scored"
        return Finding(
            signal_key=episode.signal,
            signal_id=signal.id,
            asset_id=signal.asset_id,
            detector=detector.name,
            anomaly_type=detector.anomaly_type,
            severity=severity_of(episode.score),
            score=episode.score,
            value=episode.value,
            expected=None if np.isnan(episode.expected) else episode.expected,
            reason=detector.explain(episode.signal, episode.value, episode.score, episode.expected),
            started_at=episode.started_at,
            last_at=episode.last_at,
            ended_at=episode.ended_at,
            count=episode.count,
        )


def _watched(finding: Finding) -> tuple[int, bool]:
    """What rules watch as one: of a signal, its own episodes or the conditions of its gateway."""
    return finding.signal_key, finding.detector == BY_CONDITION
