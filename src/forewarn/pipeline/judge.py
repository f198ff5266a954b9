"""Judge: readings, findings and silence become alarms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from forewarn.contracts.alarm_store import Alarm, AlarmKey, AlarmStore, Transition
from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.raw_ring import Recollection
from forewarn.contracts.stage import Carriage, beside
from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus, Condition
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.status import is_good
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.pipeline.recall import Recall, Watched
from forewarn.policies import alarm_lifecycle as lifecycle
from forewarn.policies import regimes as regime
from forewarn.policies.bad_spells import BadSpells
from forewarn.policies.condition import Holding, advance, raw_condition
from forewarn.policies.finding_watch import FindingWatch
from forewarn.policies.regimes import RegimeRows, Regimes
from forewarn.policies.rhythm import Rhythm
from forewarn.policies.runs import Runs, new_rows, resized
from forewarn.policies.silence import NEVER, Heard, SilenceWatch
from forewarn.policies.value_watch import ValueWatch

_log = structlog.get_logger(__name__)
START_GRACE_S: Final = 30.0
RHYTHM_S: Final = 1_200.0
VOUCHED_S: Final = 15.0
# A reading that a gateway sends at once is here within that.
UNDER_WAY_S: Final = 30.0
_CLOCK_STEP_US: Final = 2_000_000
_VALUE: Final = (Condition.ABOVE, Condition.BELOW)
Change = tuple[AlarmKey, Transition]


@dataclass(slots=True)
class _Verdict:
    """What one carriage would change; taken over only once it is stored, so the line may try again."""

    changes: list[Change] = field(default_factory=list)
    holdings: list[tuple[int, Holding]] = field(default_factory=list)
    put_aside: set[int] = field(default_factory=set)
    taken_back: set[int] = field(default_factory=set)


class JudgeStage:
    """Limit rules follow readings by source time, FINDING rules follow findings, SILENT rules arrivals (on `tick`).

    A reading that is not newer than what was judged of its signal changes no alarm: it tells of the past. Arrivals
    move along when our clock is set, so that no time is taken for silence that has not passed.

    Writes through `AlarmStore.change_all`, and only when something changes: the line sets the stage's offset
    otherwise. Delays that are running live in memory; `warm` takes them up again from the historian.
    An only_running rule is not raised while the machine stands, nor in the first 30 s after a start; what stood
    before is suppressed by design and comes back if it still holds.
    """

    name = "judge"

    def __init__(
        self,
        alarms: AlarmStore,
        plant: PlantView,
        clock: Callable[[], int],
        handled: int | None = None,
        monotonic: Callable[[], int] | None = None,
        edge: EdgeDesk | None = None,
    ) -> None:
        """clock: microseconds UTC, for arrivals; monotonic: microseconds of a clock that nobody sets, by which a step
        of the other is seen (None: `clock` has no steps). handled: the stage's stored offset; without it `tick`
        waits for the first carriage, since what it writes carries the offset. edge: what gateways tell."""
        self._alarms = alarms
        self._plant = plant
        self._clock = clock
        self._monotonic = monotonic or clock
        self._edge = edge or EdgeDesk()
        self._ahead = clock() - self._monotonic()
        self._handled = handled
        self._revision: int | None = None
        self._table = plant.table  # one carriage sees one plant
        self._regimes = Regimes()
        self._heard = np.zeros(0, np.int64)
        self._spoke = np.zeros(0, np.bool_)  # since we began; `_heard` also holds what we assume
        self._vouched = np.zeros(0, np.int64)  # when a gateway last said that it hears the signal, 0: it does not
        self._seen = np.zeros(0, np.int64)
        self._spells = BadSpells()
        self._rhythm = Rhythm()
        self._values = ValueWatch((), (), 0)
        self._findings = FindingWatch(())
        self._silence = SilenceWatch((), (), plant.table)
        self._aside: set[int] = set()
        self._reconciled = False

    def handle(self, carriage: Carriage) -> Carriage:
        told_beside = not carriage.batches
        if not told_beside and self._handled is not None and carriage.last <= self._handled:
            return carriage
        self._follow_plant()
        verdict = _Verdict()
        readings = self._newer(self._known_good(carriage.readings))
        newest = self._judge_readings(readings, verdict) if len(readings) else 0
        finding_changes, opened = self._findings.follow(carriage.findings)
        verdict.changes.extend(finding_changes)
        if not self._reconciled and not told_beside:
            verdict.changes.extend(self._findings.reconcile(opened, newest))
        offset = (self._handled or 0) if told_beside else carriage.last
        events = self._store(verdict.changes, offset, verdict.holdings)
        np.maximum.at(self._seen, readings.signal, readings.time)
        self._aside = (self._aside | verdict.put_aside) - verdict.taken_back
        self._findings.keep(opened)
        if not told_beside:
            self._reconciled = True
            self._handled = carriage.last
        return carriage.with_alarm_events(events) if events else carriage

    def tick(self, now_us: int) -> Carriage | None:
        """Silence and the ends of shelves."""
        self._follow_plant()
        self._follow_clock()
        self._hear_gateways()
        if self._handled is None:
            return None
        calm, holdings = self._calm_at_the_gateway()
        changes = [*self._silence_changes(now_us), *self._expiries(now_us), *calm]
        events = self._store(changes, self._handled, holdings)
        return beside(self._handled, alarm_events=events) if events else None

    def warm(self, historian: Recollection, now_us: int, unjudged: Sequence[ReadingBatch] = ()) -> None:
        """Go on where the last process ended: running delays, machines that had just started. unjudged: what lies in
        the log behind our offset. What the historian has heard of counts as heard now, so that a source that
        died with us is noticed."""
        self._follow_plant()
        recall = Recall(historian, self._table, unjudged, START_GRACE_S)
        self._regimes = recall.regimes(0.0).regimes
        rules = self._values.rules
        watched = [Watched(i, rule, self._values.holding(i).active) for i, rule in enumerate(rules)]
        self._values.hold(recall.holdings(watched))
        past = recall.regimes(RHYTHM_S, self._silence.paced.tolist()).batch
        if past is not None:
            runs = Runs.of(past)
            self._rhythm.learn(past, runs, self._regimes.running(self._table.size)[runs.signal])
            self._rhythm.interrupted(runs.signal)  # while we were down
        signal, judged_until = recall.judged
        self._seen[signal] = np.maximum(self._seen[signal], judged_until)
        self._heard[signal] = np.maximum(self._heard[signal], now_us)

    def _follow_plant(self) -> None:
        if self._plant.revision == self._revision:
            return
        before = {self._key(r): self._values.holding(i) for i, r in enumerate(self._values.rules)}
        self._revision, table = self._plant.revision, self._plant.table
        self._table = table
        self._regimes.configure(table)
        self._heard = resized(self._heard, table.size, NEVER)
        self._spoke = resized(self._spoke, table.size, False)
        self._vouched = resized(self._vouched, table.size, 0)
        self._seen = resized(self._seen, table.size, np.iinfo(np.int64).min)
        self._rhythm.resize(table.size)
        self._spells.configure(table)
        alarms = self._alarms.rules()
        values = [a for a in alarms if a.rule.condition in _VALUE]
        holdings = [self._held(a, before.get(self._key(a.rule))) for a in values]
        self._values = ValueWatch([a.rule for a in values], holdings, table.size)
        self._aside = {i for i, a in enumerate(values) if _by_design(a)}
        watched = [(a.rule, a.status.active) for a in alarms if a.rule.condition is Condition.FINDING]
        self._findings = self._findings.renewed(watched)
        silent = [a for a in alarms if a.rule.condition is Condition.SILENT]
        self._silence = SilenceWatch([a.rule for a in silent], [a.status.active for a in silent], table)

    @staticmethod
    def _key(rule: AlarmRule) -> AlarmKey:
        return (rule.asset_id, rule.rule_id)

    @staticmethod
    def _held(alarm: Alarm, before: Holding | None) -> Holding:
        active = alarm.status.active
        return before if before and before.active == active else Holding(active=active, raw=active)

    def _known_good(self, readings: ReadingBatch) -> ReadingBatch:
        """The readings to judge; what was heard, and what is bad, is noted by the way."""
        known = self._table.known
        mine = readings.signal < len(known)
        mine[mine] = known[readings.signal[mine]]
        readings = readings if mine.all() else readings.take(mine)
        good = is_good(readings.quality)
        heard = readings.signal[good]
        self._heard[heard] = np.maximum(self._heard[heard], self._clock())
        self._spoke[readings.signal[good]] = True
        runs = Runs.of(readings)
        self._spells.note(runs.signal, ~good[runs.last], self._clock())
        if good.all():
            return readings
        self._rhythm.interrupted(np.unique(readings.signal[~good]))
        return readings.take(good)

    def _newer(self, readings: ReadingBatch) -> ReadingBatch:
        rows = new_rows(readings, np.ones(len(readings), np.bool_), self._seen)
        return readings if len(rows) == len(readings) else readings.take(rows)

    def _judge_readings(self, readings: ReadingBatch, verdict: _Verdict) -> int:
        """Newest source time of the batch."""
        runs = Runs.of(readings)
        speeds = self._regimes.follow(readings, runs)
        self._rhythm.learn(readings, runs, (speeds.regime != regime.STANDING) & ~speeds.mixed)
        lowest = np.minimum.reduceat(readings.value, runs.start)
        highest = np.maximum.reduceat(readings.value, runs.start)
        standing = (speeds.regime == regime.STANDING) & ~speeds.mixed
        touched = self._values.may_change(runs.signal, lowest, highest, standing)
        turning = speeds.mixed | (readings.time[runs.start] < speeds.since + int(START_GRACE_S * 1e6))
        turning &= self._values.designed[runs.signal]
        for run in np.flatnonzero(touched | turning):
            self._judge_run(readings, runs, int(run), speeds, verdict)
        self._step_aside(runs, readings, speeds, verdict)
        return int(readings.time.max())

    def _judge_run(self, readings: ReadingBatch, runs: Runs, run: int, speeds: RegimeRows, verdict: _Verdict) -> None:
        span = slice(int(runs.start[run]), int(runs.start[run] + runs.length[run]))
        time, value = readings.time[span], readings.value[span]
        allowed = _runs_steadily(speeds, span, time)
        for index in self._values.of_signal(int(runs.signal[run])):
            rule, holding = self._values.rules[index], self._values.holding(index)
            raw = raw_condition(rule, holding.raw, value)
            if rule.only_running and not holding.active:
                raw &= allowed
            after, flips = advance(rule, holding, time, value, raw)
            if after != holding:
                verdict.holdings.append((index, after))
            verdict.changes.extend((self._key(rule), _transition(f.active, f.at, f.value)) for f in flips)

    def _step_aside(self, runs: Runs, readings: ReadingBatch, speeds: RegimeRows, verdict: _Verdict) -> None:
        """Suppress by design what is active on a machine that stands; take it back when it runs steadily."""
        active_after = {i: h.active for i, h in verdict.holdings}
        for index, rule in self._designed(active_after):
            run = int(np.searchsorted(runs.signal, rule.signal_key))
            if run == len(runs) or runs.signal[run] != rule.signal_key:
                continue
            row = int(runs.last[run])
            at = int(readings.time[row])
            if speeds.row_regime[row] == regime.STANDING and index not in self._aside:
                verdict.changes.append((self._key(rule), partial(lifecycle.suppress_by_design, at=at)))
                verdict.put_aside.add(index)
            elif index in self._aside and _runs_steadily(speeds, slice(row, row + 1), readings.time[row : row + 1]):
                verdict.changes.append((self._key(rule), partial(lifecycle.unsuppress_by_design, at=at)))
                verdict.taken_back.add(index)

    def _designed(self, active_after: dict[int, bool]) -> list[tuple[int, AlarmRule]]:
        watch = self._values
        live = self._aside | {i for i, active in active_after.items() if active} | watch.active
        return [(i, watch.rules[i]) for i in sorted(live) if watch.rules[i].only_running]

    def _silence_changes(self, now_us: int) -> list[Change]:
        if not self._silence.rules:
            return []
        table = self._table
        running, started = self._regimes.running(table.size), self._regimes.started(table.size)
        failing = self._spells.holds(now_us, self._silence.active_by_signal(table.size))
        rhythm_us = np.where(self._vouched > 0, np.iinfo(np.int64).max, self._rhythm.longest_us())
        heard = Heard(self._heard, failing, running, started, rhythm_us)
        holds = self._silence.holds(now_us, heard)
        return [
            (self._key(self._silence.rules[i]), _transition(bool(holds[i]), now_us, None))
            for i in np.flatnonzero(holds != self._silence.active)
            if holds[i] or self._heard_again(self._silence.rules[i])
        ]

    def _heard_again(self, rule: AlarmRule) -> bool:
        """An alarm from before a restart stands until something is heard."""
        keys = [rule.signal_key] if rule.signal_key else [s.key for s in self._plant.signals_of(rule.asset_id)]
        return any(self._spoke[k] for k in keys if k < len(self._spoke))

    def _hear_gateways(self) -> None:
        """A heartbeat is as good as a reading of every signal that lives, and holds until the next but one is due."""
        size = self._table.size
        for pulse in self._edge.take_pulses():
            alive, silent = pulse.alive[pulse.alive < size], pulse.silent[pulse.silent < size]
            self._heard[alive] = np.maximum(self._heard[alive], pulse.at + int(VOUCHED_S * 1e6))
            self._spoke[alive] = True
            self._vouched[alive] = pulse.at
            self._heard[silent] = np.minimum(self._heard[silent], pulse.at)
            self._vouched[silent] = 0

    def _calm_at_the_gateway(self) -> tuple[list[Change], list[tuple[int, Holding]]]:
        """A thinned signal sends little once it is calm again, perhaps no more than its minutes' statistics: where its
        gateway hears it and sends nothing, the last reading stands, and the off-delay that it began runs out."""
        changes: list[Change] = []
        holdings: list[tuple[int, Holding]] = []
        for index in sorted(self._values.active):
            rule, holding = self._values.rules[index], self._values.holding(index)
            if holding.raw or holding.since is None or rule.signal_key >= len(self._vouched):
                continue
            at = holding.since + int(rule.off_delay_s * 1e6)
            if self._vouched[rule.signal_key] > at + int(UNDER_WAY_S * 1e6):
                changes.append((self._key(rule), _transition(False, at, None)))
                holdings.append((index, Holding()))
        return changes, holdings

    def _follow_clock(self) -> None:
        step = self._clock() - self._monotonic() - self._ahead
        if abs(step) > _CLOCK_STEP_US:
            _log.warning("clock_was_set", by_s=step / 1e6)
            self._ahead += step
            self._heard[self._heard != NEVER] += step

    def _expiries(self, now_us: int) -> list[Change]:
        shelved = self._alarms.find([AlarmState.SHELVED], None, None)
        due = [a for a in shelved if a.status.shelved_until is not None and a.status.shelved_until <= now_us]
        return [(self._key(a.rule), partial(lifecycle.expire, at=now_us)) for a in due]

    def _store(
        self, changes: Sequence[Change], offset: int, holdings: Sequence[tuple[int, Holding]] = ()
    ) -> list[AlarmEvent]:
        """Write, then believe what was written: the store may refuse a change, and memory may not differ from it."""
        if not changes:
            self._values.hold(holdings)
            return []
        changed = self._alarms.change_all(changes, self.name, offset)
        standing = {self._key(alarm.rule): alarm.status.active for alarm, _ in changed}
        self._findings.settle(standing)
        rules = self._values.rules
        self._values.hold((i, _as_stored(h, standing.get(self._key(rules[i])))) for i, h in holdings)
        self._silence.settle(standing)
        return [event for _, events in changed for event in events]


def _as_stored(holding: Holding, active: bool | None) -> Holding:
    return holding if active in (None, holding.active) else Holding(active=bool(active), raw=bool(active))


def _runs_steadily(speeds: RegimeRows, span: slice, time: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Per row: the machine does not stand, and its last start is over START_GRACE_S ago."""
    steadily: NDArray[np.bool_] = (speeds.row_regime[span] != regime.STANDING) & (
        time >= speeds.row_since[span] + int(START_GRACE_S * 1e6)
    )
    return steadily


def _transition(active: bool, at: int, value: float | None) -> Transition:
    return partial(lifecycle.raised if active else lifecycle.returned, at=at, value=value)


def _by_design(alarm: Alarm) -> bool:
    status: AlarmStatus = alarm.status
    return alarm.rule.only_running and status.state is AlarmState.SUPPRESSED and not status.shelved_by
