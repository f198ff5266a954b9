"""The thin stage: what is found goes at once and whole, the rest is thinned, and nothing is lost or told twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.contracts.outbox import Delivery, Packed, Parcel, ParcelKind, Tally, Urgency
from forewarn.contracts.stage import Carriage
from forewarn.domain.alarms import AlarmEvent, AlarmState
from forewarn.domain.assets import Asset, Signal
from forewarn.domain.errors import ConfigurationError, StorageFailed
from forewarn.domain.findings import Finding, Severity
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.signal_table import SignalTable
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.wire import Wire, decode_findings, decode_minutes, decode_readings
from forewarn.pipeline.line import Line, coalesce
from forewarn.pipeline.thin import OutboxOffsets, ThinSettings, ThinStage
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.policies.thinning_plan import Method, ThinPlan, ThinRule

T0 = 1_767_225_600_000_000
SECOND = 1_000_000
ALL = 2**62
Row = tuple[int, float]


class TwoAssets:
    """PlantView: signals 1 and 2 of asset a, 3 and 4 of asset b."""

    revision = 1
    assets: Mapping[str, Asset] = {}

    def __init__(self) -> None:
        self._signals = [
            Signal(f"{a}.{k}", a, str(k), "t", "", key=k, range_low=0.0, range_high=100.0)
            for a, keys in (("a", (1, 2)), ("b", (3, 4)))
            for k in keys
        ]
        self.table = SignalTable.of(self._signals)

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return [s for s in self._signals if s.asset_id == asset_id]


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> int:
        return self.now


class Past:
    """The part of a raw ring that the stage uses, of what was told to it."""

    def __init__(self) -> None:
        self.batches: list[ReadingBatch] = []

    def read(self, signals: np.ndarray, start: int, end: int) -> Series:
        if not self.batches:
            return Series(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint32))
        all_of_it = coalesce(self.batches)
        rows = np.isin(all_of_it.signal, signals) & (all_of_it.time >= start) & (all_of_it.time < end)
        b = all_of_it.take(rows)
        return Series(b.signal, b.time, b.value, b.quality)


class _Nothing(list[ReadingBatch]):
    """Forgets what is put in."""

    def append(self, item: ReadingBatch) -> None: ...


class NoLog:
    """Nothing to go back to."""

    def read(self, after: int, max_readings: int) -> Sequence[tuple[int, ReadingBatch]]:
        return []


class Gateway:
    """A stage on a real outbox, fed one second at a time; `restart` forgets all that is only in memory."""

    def __init__(self, folder: Path, method: Method = Method.SWINGING_DOOR, **own: float) -> None:
        self.folder, self.plant, self.clock, self.past = folder, TwoAssets(), Clock(), Past()
        self.method = method
        self.settings = replace(ThinSettings(), **own)
        self.offset = 0  # seconds so far
        self.heard = 0
        self.log: list[tuple[int, ReadingBatch]] = []
        self.missed: Callable[[int], Sequence[AlarmEvent]] | None = None
        self.open()

    def open(self) -> None:
        self.outbox = SqliteOutbox(self.folder, clock=self.clock)
        self.stage = ThinStage(
            self.outbox, Wire(), self.plant, self.plan, NoLog(), self.clock, self.settings, self.past, self.missed  # type: ignore[arg-type]
        )  # fmt: skip

    def plan(self, table: SignalTable) -> ThinPlan:
        return ThinPlan.of(table, ThinRule(self.method, percent=5.0))

    def restart(self) -> None:
        """As after kill -9; the log hands on what was not flushed."""
        self.outbox.close()
        self.open()
        behind = [pair for pair in self.log if pair[0] > self.outbox.offset]
        if behind:
            self.stage.handle(Carriage(behind[0][0], behind[-1][0], behind, coalesce([b for _, b in behind])))

    def second(self, findings: Sequence[Finding] = (), events: Sequence[AlarmEvent] = ()) -> None:
        """One reading of each signal."""
        at = self.offset
        self.offset += 1
        self.clock.now = T0 + at * SECOND
        value = 50 + 2 * np.sin(np.arange(4) + at)
        batch = ReadingBatch(
            np.arange(1, 5, dtype=np.int32), np.full(4, self.clock.now), value, np.zeros(4, np.uint32), "gw", at
        )
        self.take(batch, findings, events)

    def take(self, batch: ReadingBatch, findings: Sequence[Finding] = (), events: Sequence[AlarmEvent] = ()) -> None:
        at = len(self.log) + 1
        self.log.append((at, batch))
        self.past.batches.append(batch)
        self.heard += len(batch)
        self.stage.handle(Carriage(at, at, [(at, batch)], batch, tuple(findings), tuple(events)))

    def late(self, count: int) -> None:
        """Readings from half seconds before the last one."""
        back = SECOND * np.arange(count, 0, -1) + SECOND // 2
        time = T0 + self.offset * SECOND - back - len(self.log)  # never the same twice
        self.take(
            ReadingBatch(np.full(count, 1, np.int32), time, np.full(count, 50.0), np.zeros(count, np.uint32), "gw", 0)
        )

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second()

    def parcels(self) -> list[Parcel]:
        return list(self.outbox.pending(0, ALL, ALL))

    def rows(self, urgency: Urgency | None = None) -> list[Row]:
        found: list[Row] = []
        for parcel in self.parcels():
            if parcel.packed.kind is ParcelKind.READINGS and urgency in (None, parcel.packed.urgency):
                rows = decode_readings(parcel.packed.body)
                found += zip(rows.signal.tolist(), ((rows.time - T0) / SECOND).tolist(), strict=True)
        return found


def finding(second: int, ended: int | None = None, score: float = 0.9, last: int | None = None) -> Finding:
    """Of asset a."""
    at = T0 + second * SECOND
    end = None if ended is None else T0 + ended * SECOND
    newest = at if last is None else T0 + last * SECOND
    return Finding(
        1, "a.1", "a", "limits", "limit", Severity.HIGH, score, 99.0, None, "too high", at, end or newest, end, 1
    )


def raised(second: int) -> AlarmEvent:
    return AlarmEvent("b", "high", T0 + second * SECOND, "raised", AlarmState.UNACKNOWLEDGED)


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def test_normal_readings_are_thinned_and_wait_until_a_parcel_is_full(gateway: Gateway) -> None:
    gateway.run(300)
    sums = gateway.outbox.sums()
    assert sums.adds_up
    assert sums.kept < 0.1 * sums.read
    assert len(gateway.parcels()) <= 31
    assert len(gateway.rows()) == len(set(gateway.rows()))


def test_a_finding_goes_at_once_ahead_of_all_readings_around_it(gateway: Gateway) -> None:
    gateway.run(60)
    before = gateway.outbox.last_number
    gateway.second([finding(60)])
    parcels = [p for p in gateway.parcels() if p.number > before]
    assert [p.packed.kind for p in parcels[:2]] == [ParcelKind.FINDINGS, ParcelKind.READINGS]
    told, _ = decode_findings(parcels[0].packed.body)
    assert told[0]["signal_id"] == "a.1"
    assert parcels[1].packed.urgency is Urgency.FINDING
    assert {(s, t) for s in (1, 2) for t in range(50, 61)} <= set(gateway.rows())
    gateway.run(20)
    gateway.second([finding(60, ended=81)])
    gateway.run(60)
    rows = gateway.rows()
    assert {(s, t) for s in (1, 2) for t in range(50, 92)} <= set(rows)
    assert len(rows) == len(set(rows)), "nothing is sent twice"
    of_a = [t for s, t in rows if s in (1, 2)]
    assert sum(t > 92 for t in of_a) < 10, "and thinned again afterwards"
    assert sum(s in (3, 4) and 50 <= t < 92 for s, t in rows) < 15, "the other asset stays thinned"
    assert gateway.outbox.sums().adds_up


def test_an_alarm_event_without_readings_sends_the_assets_last_seconds(gateway: Gateway) -> None:
    gateway.run(60)
    empty = gateway.log[0][1].take(slice(0, 0))
    gateway.stage.handle(Carriage(gateway.offset, gateway.offset, (), empty, (), (raised(59),)))
    kinds = [p.packed.kind for p in gateway.parcels()]
    assert ParcelKind.FINDINGS in kinds
    gateway.run(15)
    assert {(s, t) for s in (3, 4) for t in range(49, 70)} <= set(gateway.rows())
    assert gateway.outbox.sums().adds_up


def test_what_the_judge_stored_before_a_crash_is_told_after_it(gateway: Gateway) -> None:
    gateway.run(60)
    gateway.second(events=[raised(60)])
    lost = replace(raised(60), kind="returned")  # same instant, but the process died before it came to the stage
    asked: list[int] = []

    def journal(since: int) -> Sequence[AlarmEvent]:
        asked.append(since)
        return [event for event in (raised(60), lost, raised(61)) if event.at >= since]

    gateway.missed = journal
    gateway.restart()
    gateway.second()
    assert asked == [raised(0).at]
    told = [decode_findings(p.packed.body)[1] for p in gateway.parcels() if p.packed.kind is ParcelKind.FINDINGS]
    assert [(e["at"], e["kind"]) for events in told for e in events] == [
        (raised(60).at, "raised"),
        (raised(60).at, "returned"),
        (raised(61).at, "raised"),
    ]
    gateway.restart()
    assert asked[1] == raised(1).at


def test_a_finding_that_lasts_is_told_whole_for_a_while_only(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, finding_full_s=60.0)
    gateway.run(60)
    gateway.second([finding(60)])
    for minute in range(1, 4):
        gateway.run(59)
        gateway.second([finding(60, last=60 + 60 * minute, score=0.92)])  # it lasts: no news
    times = [t for s, t in gateway.rows() if s == 1]
    assert set(range(50, 121)) <= set(times)
    assert sum(t > 130 for t in times) < 15
    gateway.second([finding(60, last=241, score=0.99)])  # it rises: news
    gateway.run(65)
    assert set(range(231, 300)) <= {t for s, t in gateway.rows() if s == 1}
    rows = gateway.rows()
    assert len(rows) == len(set(rows))
    assert gateway.outbox.sums().adds_up


def test_the_context_outlives_a_restart(gateway: Gateway) -> None:
    gateway.run(60)
    gateway.restart()
    gateway.second([finding(60)])
    assert {(s, t) for s in (1, 2) for t in range(50, 61)} <= set(gateway.rows())
    gateway.restart()
    gateway.run(5)
    gateway.stage.close()
    assert {(s, t) for s in (1, 2) for t in range(50, 66)} <= set(gateway.rows()), "the window stays open"
    assert gateway.outbox.sums().adds_up


def test_a_minute_with_a_finding_is_sent_raw_besides(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, Method.MINUTES)
    gateway.run(90)
    gateway.second([finding(90)])
    gateway.run(5)
    gateway.second([finding(90, ended=96)])
    gateway.run(90)
    gateway.stage.close()
    assert set(gateway.rows()) == {(s, t) for s in (1, 2) for t in range(80, 107)}
    minutes = [decode_minutes(p.packed.body) for p in gateway.parcels() if p.packed.kind is ParcelKind.MINUTES]
    counts = {(int(k), int(t)): int(c) for m in minutes for k, t, c in zip(m.signal, m.start, m.count, strict=True)}
    assert len(counts) == sum(len(m) for m in minutes) == 4 * 3
    assert set(counts.values()) == {60}, "the statistics are of everything that was heard"
    sums = gateway.outbox.sums()
    assert sums.adds_up
    assert sums.kept == len(gateway.rows())


def test_what_a_silent_signal_left_in_hand_is_told_by_the_clock(gateway: Gateway) -> None:
    gateway.run(5)
    gateway.clock.now += 70 * SECOND
    gateway.stage.tick(gateway.clock.now)
    assert {t for _, t in gateway.rows()} == {0, 4}
    assert gateway.outbox.sums().in_hand == 0


def test_a_carriage_that_could_not_be_stored_is_not_thinned_twice(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.run(30)
    pack, failures = gateway.outbox.pack, [True, True]

    def refuse(packed: Sequence[Packed], tally: Tally, state: bytes, offset: int) -> None:
        if failures:
            failures.pop()
            raise StorageFailed("the disk is full")
        pack(packed, tally, state, offset)

    monkeypatch.setattr(gateway.outbox, "pack", refuse)
    at = T0 + 30 * SECOND
    batch = replace(gateway.log[0][1], time=np.full(4, at))
    carriage = Carriage(31, 31, [(31, batch)], batch, (finding(30),))
    for _ in range(2):
        with pytest.raises(StorageFailed):
            gateway.stage.handle(carriage)
    gateway.stage.handle(carriage)
    rows = gateway.rows()
    assert len(rows) == len(set(rows))
    assert sum(p.packed.kind is ParcelKind.FINDINGS for p in gateway.parcels()) == 1
    assert gateway.outbox.sums().adds_up
    assert gateway.outbox.sums().read == 31 * 4


@pytest.mark.parametrize("more", [[["of a later version"]], [1, 2]])
def test_what_a_later_version_left_is_named_and_kept(gateway: Gateway, more: list[object]) -> None:
    gateway.run(70)
    gateway.second([finding(69)])
    state = gateway.outbox.state
    later = msgspec.msgpack.encode([*msgspec.msgpack.decode(state), *more])
    gateway.outbox.pack([], Tally(0, 0, 0, gateway.outbox.sums().in_hand), later, gateway.outbox.offset)
    with pytest.raises(ConfigurationError, match="install that version or a later one; nothing is lost"):
        gateway.restart()
    assert gateway.outbox.state == later


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.sampled_from([Method.SWINGING_DOOR, Method.MINUTES]))
@settings(max_examples=15, deadline=None)
def test_crashes_anywhere_lose_and_double_nothing(
    tmp_path_factory: pytest.TempPathFactory, at: list[int], method: Method
) -> None:
    crashing = Gateway(tmp_path_factory.mktemp("crashing"), method)
    for seconds in at:
        crashing.run(seconds)
        crashing.restart()
        assert crashing.outbox.sums().adds_up
    steady = Gateway(tmp_path_factory.mktemp("steady"), method)
    steady.run(sum(at))
    for gateway in (crashing, steady):
        gateway.stage.close()
    assert sorted(crashing.rows()) == sorted(steady.rows())
    a, b = crashing.outbox.sums(), steady.outbox.sums()
    assert (a.read, a.kept, a.thinned, a.in_hand) == (b.read, b.kept, b.thinned, b.in_hand)


def test_an_outbox_begun_anew_is_filled_again_from_the_raw_log(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path / "raw")
    outbox = SqliteOutbox(tmp_path / "outbox")
    clock, plant = Clock(), TwoAssets()

    def plan(table: SignalTable) -> ThinPlan:
        return ThinPlan.of(table, ThinRule(Method.NONE))

    stage = ThinStage(outbox, Wire(), plant, plan, log, clock, ThinSettings(flush_s=0.0, fill_rows=0))
    line = Line(log, [stage], OutboxOffsets(outbox), idle_s=0.0)
    log.commit("ring", 0)
    line.start()

    def send(first: int, count: int) -> None:
        for n in range(first, first + count):
            time = np.full(4, T0 + n * SECOND)
            batch = ReadingBatch(
                np.arange(1, 5, dtype=np.int32), time, np.full(4, float(n)), np.zeros(4, np.uint32), "g", n
            )
            log.append(batch).result(10)

    def until(offset: int) -> None:
        for _ in range(2_000):
            if outbox.offset >= offset:
                return
            line._stopping.wait(0.01)
        raise AssertionError(line.health())

    send(0, 20)
    until(20)
    with outbox._turn:
        outbox._connection.close()
        content = bytearray((tmp_path / "outbox" / "outbox.db").read_bytes())
        content[: len(content) // 2] = bytes(len(content) // 2)
        (tmp_path / "outbox" / "outbox.db").write_bytes(content)
        outbox._broken = True
    send(20, 20)
    until(40)
    line.stop()
    times: list[int] = []
    for parcel in outbox.pending(0, ALL, ALL):
        times += ((decode_readings(parcel.packed.body).time - T0) // SECOND).tolist()
        outbox.acknowledge(parcel.number, Delivery(accepted=parcel.packed.rows))
    assert sorted(times) == sorted(4 * list(range(40)))
    sums = outbox.sums()
    assert sums.adds_up
    assert (sums.read, sums.acknowledged) == (160, 160)
    outbox.close()
    log.close()


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["run", "run", "open", "close", "alarm", "crash", "silence", "late"]), st.integers(1, 25)
    ),
    min_size=1,
    max_size=15,
)


@given(_STEPS, st.sampled_from(list(Method)))
@settings(max_examples=40, deadline=None)
def test_whatever_happens_every_reading_is_told_once_or_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], method: Method
) -> None:
    gateway = Gateway(tmp_path_factory.mktemp("any"), method, finding_full_s=30.0)
    gateway.past.batches = _Nothing()  # what was before a restart is sent again on purpose
    gateway.second()
    opened: int | None = None
    around: set[Row] = set()
    for what, n in steps:
        now = gateway.offset
        if what == "run":
            gateway.run(n)
        elif what == "open":
            opened = now
            gateway.second([finding(now)])
            around |= {(s, t) for s in (1, 2) for t in range(now, now + 10)}
        elif what == "close" and opened is not None:
            gateway.second([finding(opened, ended=now)])
            around |= {(s, t) for s in (1, 2) for t in range(now, now + 10)}
            opened = None
        elif what == "alarm":
            gateway.second(events=[raised(now)])
            around |= {(s, t) for s in (3, 4) for t in range(now, now + 10)}
        elif what == "crash":
            gateway.restart()
        elif what == "silence":
            gateway.clock.now += 4 * n * SECOND
            gateway.stage.tick(gateway.clock.now)
        elif what == "late":
            gateway.late(n)
        assert gateway.outbox.sums().adds_up
    gateway.stage.close()
    rows = gateway.rows()
    assert len(rows) == len(set(rows))
    sums = gateway.outbox.sums()
    assert sums.adds_up
    assert sums.read == gateway.heard
    assert sums.kept == len(rows)
    heard = {(s, t) for s, t in around if t < gateway.offset}
    assert heard <= set(rows)
