"""Machines watched by their models: what lasts becomes a finding, with its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.evidence import Evidence
from forewarn.domain.findings import BY_SITE, ENSEMBLE, Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.drift_watch import DriftWatch
from forewarn.learning.fleet import Fleet, FleetScores
from forewarn.learning.machine_evidence import evidence_of
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.machine_words import changed_words, failed_words, of_other_unit, reason_of
from forewarn.learning.model_advisories import ModelAdvisories
from forewarn.learning.model_source import ModelSource, Refusal
from forewarn.policies.alarm_budget import AlarmBudget
from forewarn.policies.episodes import Episode, EpisodeSettings, EpisodeTracker
from forewarn.policies.scoring import ratio_score
from forewarn.policies.severity import severity_of

TYPE: Final = "multivariate"
_GAP_S: Final = 300.0
_SECOND: Final = 1_000_000
_SILENT_US: Final = 300_000_000  # without an opinion for as long, the model does not speak for its machine
_MOST_PEAKS: Final = 64


@dataclass(frozen=True, slots=True)
class _Peak:
    """A row that is the worst of its spell, or may turn out to be."""

    at: int
    ratio: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Seen:
    """Of all machines together. rows: scored; opinions: of them with a score; judged_s: seconds that those stand
    for."""

    rows: int = 0
    opinions: int = 0
    judged_s: float = 0.0


class MachineWatch:
    """For one thread. A machine keeps its number when the models change, and so its episode goes on."""

    def __init__(
        self,
        models: ModelSource,
        detectors: Mapping[str, TrainedDetector],
        budget: AlarmBudget | None = None,
        drift: DriftWatch | None = None,
        detected_by: str = BY_SITE,
    ) -> None:
        """budget: how many rows over the threshold begin an episode, and how many not over it end one. drift: tells
        when a model has grown old; None = nobody asks. detected_by: Finding.detected_by of what models find."""
        self._by = detected_by
        self._source, self._detectors, self._budget = models, detectors, budget or AlarmBudget()
        self._revision: int | None = None
        self._table = SignalTable.of(())
        self._fleet = Fleet((), self._table, detectors)
        self._trackers: dict[int, EpisodeTracker] = {}  # by step of the grid
        self._steps: dict[int, int] = {}  # by number
        self._ended: list[Finding] = []
        self._number: dict[str, int] = {}
        self._assets: list[str] = []
        self._refused: dict[str, Refusal] = {}
        self._advice = ModelAdvisories(drift)
        self._judged: dict[int, NDArray[np.intp]] = {}  # by number: keys of the signals that its model judges
        self._heard: dict[int, tuple[int, int]] = {}  # by number: its newest row, and the newest with an opinion
        self._numbers: NDArray[np.int32] = np.zeros(0, np.int32)  # by place in the fleet
        self._peaks: dict[int, list[_Peak]] = {}  # by number
        # By number: key and id of the signal that an open episode was first told with.
        self._blamed: dict[int, tuple[int, str]] = {}
        self._elsewhere: set[str] = set()  # machines that a gateway judges, or a part of
        self._silenced: set[str] = set()  # machines whose model failed, and whose episodes were ended for it
        self.seen = Seen()

    def configure(self, table: SignalTable) -> None:
        """Follow the plant. Rows begin anew: a change of the plant is seldom."""
        self._table, self._revision = table, None

    def score(self, readings: ReadingBatch) -> list[Finding]:
        """readings: good ones, ordered by (signal, time). Findings opened, changed or closed."""
        self._follow()
        found, self._ended = self._ended, []
        found += [finding for scores in self._fleet.score(readings) for finding in self._seen_in(scores)]
        if fresh := self._fleet.failed.keys() - self._silenced:
            self._silenced |= fresh
            for asset in fresh:
                self._judged.pop(self._number[asset], None)
            found += self._end_all({self._number[asset] for asset in fresh})
        failed = {asset: Refusal("failed", failed_words(why)) for asset, why in self._fleet.failed.items()}
        here = {a: r for a, r in (failed | self._refused).items() if a not in self._elsewhere}
        return found + self._advice.of_refused(here, self._table, int(readings.time.max(initial=0)))

    def judges(self, size: int) -> NDArray[np.bool_]:
        """By signal key below `size`: its machine's own model speaks for it, and had an opinion lately: not where it
        failed, nor while the machine runs as nobody has seen it run."""
        mask = np.zeros(size, np.bool_)
        for number, keys in self._judged.items():
            newest, opinion = self._heard.get(number, (0, -_SILENT_US))
            if newest - opinion < _SILENT_US:
                mask[keys[keys < size]] = True
        return mask

    def ended(self) -> list[Finding]:
        """What ended since, for when no reading comes."""
        told, self._ended = self._ended, []
        return told

    def warm(self, readings: ReadingBatch) -> None:
        """Rows of the past, so that windows are full; nothing is found."""
        self._follow()
        for _ in self._fleet.score(readings):
            pass

    def resume(self, findings: Sequence[Finding]) -> None:
        """Take up episodes that were open when the last process ended."""
        self._follow()
        self._ended += self._advice.resume(findings, self._fleet)
        for finding in sorted(findings, key=lambda f: f.started_at):
            if finding.detector == ENSEMBLE:
                number = self._numbered(finding.asset_id)
                if number not in self._steps or number in self._blamed:
                    # Nobody judges the machine any more, or it is told twice: it would stay open for ever.
                    self._ended.append(replace(finding, ended_at=finding.last_at))
                    continue
                self._blamed[number] = finding.signal_key, finding.signal_id
                if finding.evidence is not None:
                    self._peaks[number] = [_Peak(finding.started_at, finding.evidence.ratio, finding.evidence)]
                self._tracker(self._steps.get(number, _SECOND)).resume([replace(finding, signal_key=number)])

    def let_go(self, elsewhere: NDArray[np.bool_]) -> list[Finding]:
        """elsewhere: by signal key, whom a gateway scores. What stands of machines all of whose signals are so ends."""
        gone = np.zeros(len(self._assets) + 1, np.bool_)
        signals: dict[str, list[bool]] = {}
        for signal in self._table.signals:
            if signal is not None:
                signals.setdefault(signal.asset_id, []).append(bool(elsewhere[signal.key]))
        for asset, number in self._number.items():
            gone[number] = all(signals.get(asset, [False]))
        ended = self._end_all(set(np.flatnonzero(gone).tolist()))
        self._elsewhere = {asset for asset, own in signals.items() if any(own)}
        wholly = {asset for asset, number in self._number.items() if gone[number]}
        return ended + self._advice.let_go(self._elsewhere, wholly)

    def _end_all(self, numbers: set[int], *, anew: bool = False) -> list[Finding]:
        """What stands of these machines ends."""
        gone = np.zeros(len(self._assets) + 1, np.bool_)
        gone[list(numbers)] = True
        return [finding for tracker in self._trackers.values() for finding in self._end(tracker, gone, anew=anew)]

    def _turned_back(self, scores: FleetScores) -> list[Finding]:
        """Machines whose clock went back: what was seen since is of a time that has not come."""
        numbers = self._numbers[scores.machine].tolist()
        began = scores.time[:, 0].tolist()
        back = {n for n, at in zip(numbers, began, strict=True) if at <= self._heard.get(n, (at - 1, 0))[0]}
        for number in back:
            del self._heard[number]
        return self._end_all(back, anew=True) if back else []

    def _end(self, tracker: EpisodeTracker, gone: NDArray[np.bool_], *, anew: bool = False) -> list[Finding]:
        told = []
        for episode in tracker.let_go(gone, anew=anew):
            worst = max(self._peaks.pop(episode.signal, []), key=lambda p: p.ratio, default=None)
            ended = replace(episode, ended_at=episode.last_at)
            told.append(self._finding(ended, worst.evidence if worst is not None else None))
        return told

    def _follow(self) -> None:
        if self._source.revision == self._revision:
            return
        self._revision = self._source.revision
        self._ended += self._advice.of_units(self._fleet, self._table)  # of rows of the past, for one
        self._fleet = Fleet(self._fitting(), self._table, self._detectors, self._fleet)
        self._refused, self._silenced = dict(self._source.refused()), set()
        self._ended += self._advice.follow(self._fleet)
        numbers = [self._numbered(model.asset_id) for model in self._fleet.models]
        for number, model in zip(numbers, self._fleet.models, strict=True):
            if model.asset_id not in self._fleet.carried and number in self._heard:
                # Its rows begin anew, maybe a little before the newest so far: that is no clock that went back.
                newest, opinion = self._heard[number]
                self._heard[number] = newest - _SILENT_US, opinion
        self._judged = {
            n: np.array([self._table.key_of[s] for s in m.signals if s not in m.left_out], np.intp)
            for n, m in zip(numbers, self._fleet.models, strict=True)
        }
        self._refused |= self._misfits({model.asset_id for model in self._fleet.models})
        self._numbers = np.array(numbers, np.int32)
        self._steps = {n: m.step_us for n, m in zip(numbers, self._fleet.models, strict=True)}
        for step_us in {*self._trackers, *self._steps.values()}:
            tracker = self._tracker(step_us)
            tracker.resize(len(self._assets) + 1)
            # Of whom nobody judges any more, what stands ends.
            others = [n for n in range(len(self._assets)) if self._steps.get(n) != step_us]
            gone = np.zeros(len(self._assets) + 1, np.bool_)
            gone[others] = True
            self._ended += self._end(tracker, gone)

    def _fitting(self) -> list[MachineModel]:
        """Scores of another unit would be garbage."""
        known = [m for m in self._source.models() if all(s in self._table.key_of for s in m.signals)]
        return [m for m in known if not of_other_unit(m, self._table)]

    def _misfits(self, fit: set[str]) -> dict[str, Refusal]:
        """Models whose signals the plant has not, or not in the unit that was learned."""
        told = {}
        for model in self._source.models():
            lost = [s for s in model.signals if s not in self._table.key_of]
            if lost:
                told[model.asset_id] = Refusal(
                    "signals_changed", changed_words(f"the plant has no {', '.join(lost[:3])}")
                )
            elif model.asset_id not in fit:
                units = [f"{s} was learned in {u or 'no unit'}" for s, u in of_other_unit(model, self._table)]
                why = ", ".join(units[:3]) or "no detector of it is left"
                told[model.asset_id] = Refusal("signals_changed", changed_words(why))
        return told

    def _tracker(self, step_us: int) -> EpisodeTracker:
        """Seconds there are rows here: machines are read at different rates."""
        if step_us not in self._trackers:
            step_s, b = step_us / 1e6, self._budget
            on_s, off_s = (b.on_rows - 1) * step_s, b.off_rows * step_s
            settings = EpisodeSettings(b.on_rows, b.on_rows, on_s, off_s, gap_s=max(_GAP_S, 2 * off_s))
            self._trackers[step_us] = EpisodeTracker(settings)
        return self._trackers[step_us]

    def _numbered(self, asset_id: str) -> int:
        if asset_id not in self._number:
            self._number[asset_id] = len(self._assets)
            self._assets.append(asset_id)
        return self._number[asset_id]

    @property
    def failed(self) -> Mapping[str, str]:
        """Why a machine's model is not asked any more, by asset id."""
        return self._fleet.failed

    def _seen_in(self, scores: FleetScores) -> list[Finding]:
        numbers = [int(number) for number in self._numbers[scores.machine]]
        before = np.array([number in self._blamed for number in numbers], np.bool_)
        found = self._turned_back(scores) + self._judge(scores)
        after = np.array([number in self._blamed for number in numbers], np.bool_)
        return found + self._advice.take(scores, before | after, self._fleet, self._table)

    def _judge(self, scores: FleetScores) -> list[Finding]:
        numbers = self._numbers[scores.machine]
        order = np.argsort(numbers, kind="stable")
        ratio, time = scores.ratio[order].ravel(), scores.time[order].ravel()
        number, quality = np.repeat(numbers[order], scores.time.shape[1]), np.zeros(len(ratio), np.uint32)
        opinion = np.where(np.isnan(scores.ratio), 0, scores.time).max(axis=1)
        for place, newest, said in zip(numbers.tolist(), scores.time[:, -1].tolist(), opinion.tolist(), strict=True):
            self._heard[place] = newest, max(said, self._heard.get(place, (0, -_SILENT_US))[1])
        rows = ReadingBatch(number, time, ratio, quality, "", 0).take(np.flatnonzero(~np.isnan(ratio)))
        told = self._tracker(scores.step_us).track(rows, ratio_score(rows.value), np.full(len(rows), np.nan))
        opinions, seen = len(rows), self.seen
        judged_s = seen.judged_s + opinions * scores.step_us / 1e6
        self.seen = Seen(seen.rows + len(ratio), seen.opinions + opinions, judged_s)
        of_number = {int(numbers[k]): int(k) for k in range(len(numbers))}
        over: dict[int, int] = {}
        found = []
        for episode in told:
            found.append(self._told(episode, scores, of_number[episode.signal]))
            if episode.ended_at is not None:
                over[episode.signal] = episode.ended_at
        self._keep_peaks(scores, over)
        return found

    def _told(self, episode: Episode, scores: FleetScores, k: int) -> Finding:
        """With the worst row of the episode, be it of these rows or of earlier ones."""
        number, time = episode.signal, scores.time[k]
        within = (time >= episode.started_at) & (time <= episode.last_at) & (scores.ratio[k] > 1.0)
        known = [p for p in self._peaks.get(number, []) if episode.started_at <= p.at <= episode.last_at]
        worst = max(known, key=lambda p: p.ratio, default=None)
        if within.any():
            row = int(np.argmax(np.where(within, scores.ratio[k], -1.0)))
            if worst is None or scores.ratio[k, row] > worst.ratio:
                worst = self._peak(scores, k, row) or worst
        rest = [] if worst is None or episode.ended_at is not None else [worst]
        self._peaks[number] = rest + [p for p in self._peaks.get(number, []) if p.at > episode.last_at]
        if number not in self._blamed:
            model = self._fleet.models[scores.machine[k]]
            most = worst.evidence.contributions[0].signal_id if worst is not None else model.signals[0]
            self._blamed[number] = self._table.key_of[most], most
        return self._finding(episode, worst.evidence if worst is not None else None)

    def _keep_peaks(self, scores: FleetScores, over: Mapping[int, int]) -> None:
        """For an episode that is told later: the worst row, explained while the rows are at hand."""
        hot = np.where(scores.ratio > 1.0, scores.ratio, -1.0)
        for k in np.flatnonzero(hot.max(axis=1) > 1.0):
            number = int(self._numbers[scores.machine[k]])
            after = np.where(scores.time[k] > over.get(number, 0), hot[k], -1.0)
            row = int(np.argmax(after))
            newest = int(scores.time[k, -1])
            known = [p for p in self._peaks.get(number, []) if number in self._blamed or p.at >= newest - _GAP_S * 1e6]
            if after[row] > max((p.ratio for p in known if number in self._blamed), default=1.0):
                peak = self._peak(scores, int(k), row)
                known += [] if peak is None else [peak]
            self._peaks[number] = known[-_MOST_PEAKS:]

    def _peak(self, scores: FleetScores, k: int, row: int) -> _Peak | None:
        """None where its detectors cannot say why: somebody's plugin must not hold up the line."""
        try:
            evidence = evidence_of(self._fleet, self._table, scores, (k, row))
        except Exception as error:
            self._fleet.put_aside(scores, error)
            return None
        return _Peak(int(scores.time[k, row]), float(scores.ratio[k, row]), evidence)

    def _finding(self, episode: Episode, evidence: Evidence | None) -> Finding:
        number = episode.signal
        key, signal_id = self._blamed[number]  # which the plant may have lost meanwhile
        part = next((c for c in evidence.contributions if c.signal_id == signal_id), None) if evidence else None
        if episode.ended_at is not None:
            self._blamed.pop(number, None)
        measured = part.measured if part else None
        return Finding(
            signal_key=key,
            signal_id=signal_id,
            asset_id=self._assets[number],
            detector=ENSEMBLE,
            anomaly_type=TYPE,
            severity=severity_of(episode.score),
            score=episode.score,
            value=float("nan") if measured is None else measured,
            expected=part.expected if part else None,
            reason=reason_of(evidence, self._table) if evidence else "the machine does not behave as it did in health",
            started_at=episode.started_at,
            last_at=episode.last_at,
            ended_at=episode.ended_at,
            count=episode.count,
            detected_by=self._by,
            evidence=evidence,
        )
