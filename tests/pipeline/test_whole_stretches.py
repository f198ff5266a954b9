"""The thin stage sends a stretch of each machine whole now and then: every reading of it, once, across restarts."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.contracts.outbox import ParcelKind, Urgency
from forewarn.domain.gateways import Reduction
from forewarn.domain.readings import ReadingBatch
from forewarn.gateway.wire import decode_minutes
from forewarn.pipeline import thin
from forewarn.pipeline.thin import _unpacked
from forewarn.policies.thinning_plan import Method
from forewarn.policies.whole_stretches import WholeStretches, turn_of
from tests.pipeline.test_thin import SECOND, T0, Gateway, Row, finding, raised

WHOLE = WholeStretches(20, 60)
KEYS = {"a": (1, 2), "b": (3, 4)}


def owed(gateway: Gateway, whole: WholeStretches = WHOLE) -> set[Row]:
    """Rows of the seconds so far that lie in a stretch of their machine."""
    end = T0 + gateway.offset * SECOND
    return {
        (key, float(t))
        for asset, keys in KEYS.items()
        for span in whole.spans(asset, T0, end)
        for t in range(max(span.start - T0, 0) // SECOND, min(span.end, end) // SECOND - T0 // SECOND)
        for key in keys
    }


def test_a_stretch_of_each_machine_is_sent_whole_and_as_normal(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, whole=WHOLE)
    gateway.run(600)
    gateway.stage.close()
    rows = gateway.rows()
    due = owed(gateway)
    assert len(due) >= 4 * 9 * 20
    assert due <= set(rows)
    assert len(rows) == len(set(rows)), "nothing is sent twice"
    assert len(set(rows) - due) < 0.15 * 4 * 600, "what is between is thinned"
    assert gateway.rows(Urgency.FINDING) == []
    assert gateway.outbox.sums().adds_up
    a, b = ({t for key, t in due if key == keys[0]} for keys in KEYS.values())
    assert a != b, "machines take turns"


def test_of_signals_that_are_told_in_minutes_the_stretch_is_sent_besides(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, Method.MINUTES, whole=WHOLE)
    gateway.run(600)
    gateway.stage.close()
    assert set(gateway.rows()) == owed(gateway)
    minutes = [decode_minutes(p.packed.body) for p in gateway.parcels() if p.packed.kind is ParcelKind.MINUTES]
    assert {int(c) for m in minutes for c in m.count} == {60}, "the statistics are of everything"
    assert gateway.outbox.sums().adds_up


def test_a_finding_within_a_stretch_sends_nothing_again(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, whole=WHOLE)
    first = min(t for key, t in owed_of_a_day() if key == 1)
    gateway.run(int(first) + 15)
    gateway.second([finding(int(first) + 15)])
    gateway.run(30)
    gateway.stage.close()
    rows = gateway.rows()
    assert len(rows) == len(set(rows))
    assert owed(gateway) <= set(rows)
    assert gateway.outbox.sums().adds_up


def owed_of_a_day() -> set[Row]:
    return {(1, (span.start - T0) / SECOND) for span in WHOLE.spans("a", T0 + 60 * SECOND, T0 + 86_400 * SECOND)}


_STEPS = st.lists(
    st.tuples(st.sampled_from(["run", "run", "run", "alarm", "crash", "silence", "late"]), st.integers(1, 40)),
    min_size=1,
    max_size=15,
)


@given(_STEPS, st.sampled_from(list(Method)))
@settings(max_examples=30, deadline=None)
def test_whatever_happens_stretches_are_whole_and_the_ledger_adds_up(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], method: Method
) -> None:
    gateway = Gateway(tmp_path_factory.mktemp("any"), method, whole=WHOLE)
    gateway.past.batches.clear()
    gateway.second()
    missing: set[Row] = set()
    late = 0
    for what, n in steps:
        if what == "run":
            gateway.run(n)
        elif what == "alarm":
            gateway.past.batches.clear()  # what was before a restart is sent again on purpose
            gateway.second(events=[raised(gateway.offset)])
        elif what == "crash":
            gateway.restart()
        elif what == "silence":
            missing |= {(key, float(t)) for key in range(1, 5) for t in range(gateway.offset, gateway.offset + n)}
            gateway.offset += n
            gateway.clock.now += n * SECOND
            gateway.stage.tick(gateway.clock.now)
        else:
            gateway.late(n)
            late += n
    gateway.stage.close()
    rows = gateway.rows()
    assert owed(gateway) - missing <= set(rows)
    assert len(rows) == len(set(rows))
    sums = gateway.outbox.sums()
    assert sums.adds_up
    assert sums.read == gateway.heard
    assert sums.kept == len(rows)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12), st.sampled_from(list(Method)))
@settings(max_examples=20, deadline=None)
def test_however_batches_are_cut_the_same_is_kept(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], method: Method
) -> None:
    seconds = sum(cuts)
    steady, cut = (Gateway(tmp_path_factory.mktemp(name), method, whole=WHOLE) for name in ("steady", "cut"))
    steady.run(seconds)
    for n in cuts:
        one_by_one = [steady.log[cut.offset + i][1] for i in range(n)]
        cut.offset += n
        cut.clock.now = int(one_by_one[-1].time[-1])
        batch = ReadingBatch.concatenate(one_by_one)
        order = np.lexsort((batch.time, batch.signal))
        cut.take(batch.take(order))
    for gateway in (steady, cut):
        gateway.stage.close()
    assert sorted(steady.rows()) == sorted(cut.rows())
    assert steady.outbox.sums().in_hand == cut.outbox.sums().in_hand


def test_what_is_left_out_is_known_since_when_across_restarts(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, whole=WHOLE)
    told = (Reduction(0, (("*", True),), 20, 60),)
    assert gateway.stage.reductions == told
    gateway.run(30)
    gateway.stage.close()
    gateway.restart()
    assert gateway.stage.reductions == told, "nothing has changed"
    gateway.settings = replace(gateway.settings, whole=WholeStretches(0))
    gateway.run(10)
    gateway.stage.close()
    gateway.restart()
    assert gateway.stage.reductions == (*told, Reduction(gateway.clock.now, (("*", True),), 0, 3_600))


def test_the_state_of_a_version_that_sent_no_stretches_is_taken_over(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, whole=WHOLE)
    gateway.run(30)
    gateway.stage.close()
    parts = msgspec.msgpack.decode(gateway.outbox.state)
    before = msgspec.msgpack.encode(parts[:4])
    engine, windows, told, reductions = _unpacked(before, gateway.settings)
    assert zstandard.ZstdDecompressor().decompress(parts[0]) == engine
    assert (windows.windows, told, reductions) == ({}, parts[3], ())


def test_turns_are_taken_when_the_plant_changes_not_with_each_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(tmp_path, whole=WHOLE)
    taken: list[str] = []

    def noted(asset_id: str) -> int:
        taken.append(asset_id)
        return turn_of(asset_id)

    monkeypatch.setattr(thin, "turn_of", noted)
    gateway.run(3)
    gateway.second([finding(3)], [raised(3)])
    assert taken == []
    gateway.plant.revision += 1
    gateway.second()
    assert sorted(taken) == ["a", "a", "b", "b"]
