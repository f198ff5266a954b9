"""A machine behind a gateway that thins is learned from the stretches that were sent whole, and says so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Catalog
from forewarn.contracts.trained_detector import Matrix
from forewarn.domain.assets import Signal
from forewarn.domain.errors import NotEnoughData
from forewarn.domain.gateways import (
    BufferStatus,
    GatewayRole,
    GatewayStatus,
    LedgerSums,
    Reduction,
    SiteState,
    UplinkStatus,
)
from forewarn.domain.model_versions import Span
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.signal_table import SignalTable
from forewarn.jobs.training.held_back import ratios
from forewarn.jobs.training.lesson import TrainingSettings
from forewarn.jobs.training.train import Trainer
from forewarn.jobs.training.whole_past import Sender, _whole_parts, is_whole, senders_of, thins_any
from forewarn.kit.clock import HOUR, MINUTE, SECOND
from forewarn.learning.machine_model import MachineModel, MachineSettings, learn_machine
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.historians.parquet import HISTORIAN, ParquetReader
from forewarn.policies.operating_regimes import RegimeSettings
from forewarn.policies.thinning import Thinning
from forewarn.policies.thinning_early import extremes
from forewarn.policies.thinning_plan import ThinPlan, ThinRule
from forewarn.policies.whole_stretches import WholeStretches, turn_of
from tests.jobs.training.a_past import START, opened, small_plant
from tests.learning.test_fleet import DETECTORS, behaviour

HOURS = 6
END = START + HOURS * HOUR
WHOLE = WholeStretches(90, 600)
EARLY = Span(START, START + HOUR)  # the gateway's disk was full
QUICK = TrainingSettings(margin_s=600.0)
ALL = (("*", True),)
TOLD = (Reduction(START - HOUR, ALL, 90, 600),)


def gateway(*reductions: Reduction, name: str = "g1", signals: Sequence[str] = ("p1.speed", "p1.flow")) -> Sender:
    return Sender(name, tuple(signals), reductions)


def as_sent(signals: Sequence[Signal], asset: str, is_thinned: bool) -> Series:
    """What a gateway with a thinning of 5 % sends of `asset`; of the first hour its full disk leaves little. All of it
    where it is not thinned."""
    rows, keys = HOURS * 3600, [signal.key for signal in signals]
    signal = np.repeat(np.array(keys, np.int32), rows)
    time = np.tile(START + np.arange(rows, dtype=np.int64) * SECOND, len(keys))
    batch = ReadingBatch(signal, time, behaviour(1, rows).T.ravel(), np.zeros(len(signal), np.uint32), "gw", 1)
    if not is_thinned:
        return Series(batch.signal, batch.time, batch.value, batch.quality)
    full = WHOLE.inside(np.full(len(time), turn_of(asset)), time)
    plan = ThinPlan.of(SignalTable.of(signals), ThinRule(percent=5.0))
    kept = Thinning(plan).take(batch, full, END).kept
    stay = (kept.time >= EARLY.end) | extremes(kept, MINUTE)
    return Series(kept.signal[stay], kept.time[stay], kept.value[stay], kept.quality[stay])


@dataclass
class Site:
    """What is stored of p1, and how it is learned."""

    directory: Path
    catalog: Catalog
    reader: ParquetReader

    def trainer(self, *senders: Sender) -> Trainer:
        view = CatalogPlantView(self.catalog.plant)
        parts = (self.reader, view, self.catalog.anomalies, DETECTORS, lambda: END, QUICK)
        return Trainer(*parts, senders=lambda signals: senders)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    with opened(directory) as catalog:
        catalog.plant.apply(small_plant("p1", "p2"), ())
        view = CatalogPlantView(catalog.plant)
        historian, log = HISTORIAN(directory / "historian"), SqliteSpool(directory / "log")
        for asset, is_thinned in (("p1", True), ("p2", False)):
            sent = as_sent(view.signals_of(asset), asset, is_thinned)
            batch = ReadingBatch(sent.signal, sent.time, sent.value, sent.quality, asset, 1)
            historian.append([(log.append(batch).result().offset, batch)])
        historian.flush()
        historian.close()
        log.close()
        reader = ParquetReader(directory / "historian")
        yield Site(directory, catalog, reader)
        reader.close()


def over(model: MachineModel, rows: Matrix) -> float:
    """Share of rows over the model's threshold, as a gateway scores them: whole."""
    ratio = ratios(model, rows[None], DETECTORS)[0]
    return float(np.mean(ratio[~np.isnan(ratio)] > 1.0))


def shifted(seed: int) -> Matrix:
    """A pressure that does not go with the flow."""
    rows = behaviour(seed, 3_000)
    rows[:, 2] += 0.6
    return rows


def test_what_was_sent_whole_is_learned_from_and_tells_a_fault_from_health(site: Site) -> None:
    model, card = site.trainer(gateway(*TOLD)).learn("p1")
    assert "Learned from 30 whole stretches of 90 s that gateway g1 sent." in card.notes
    assert 24 * 85 < card.rows < 28 * 92, "one stretch in eight is held back"
    assert card.metrics["held_back_rows"] >= 3 * 55
    assert card.settings["training"]["stretch_rows"] == 90
    assert over(model, behaviour(7, 6_000)) < 0.001
    assert over(model, shifted(8)) > 0.95


def test_what_is_between_is_no_substitute(site: Site) -> None:
    """Why there are whole stretches: learned from thinned readings, the model is blind to the fault above."""
    model, _ = site.trainer().learn("p1")
    assert over(model, shifted(8)) < 0.1


def test_the_same_stretches_give_the_same_lesson(site: Site) -> None:
    first, again = (site.trainer(gateway(*TOLD)).lesson("p1") for _ in range(2))
    np.testing.assert_array_equal(first.healthy, again.healthy)
    np.testing.assert_array_equal(first.held_back, again.held_back)


def test_two_gateways_of_one_machine_must_both_have_sent_it_whole(site: Site) -> None:
    both = site.trainer(gateway(*TOLD), gateway(*TOLD, name="g2")).lesson("p1")
    assert len(both.healthy) == len(site.trainer(gateway(*TOLD)).lesson("p1").healthy), "partners agree"
    with pytest.raises(NotEnoughData, match="gateway g2 does not say"):
        site.trainer(gateway(*TOLD), gateway(name="g2")).lesson("p1")


def test_settings_hold_from_when_they_were_told(site: Site) -> None:
    late = replace(TOLD[0], since=START + 4 * HOUR)
    _, card = site.trainer(gateway(late)).learn("p1")
    assert "Learned from 12 whole stretches" in card.notes[1]
    before = replace(TOLD[0], whole_s=30, whole_every_s=60)  # slots that were never sent whole count as long as it held
    with pytest.raises(NotEnoughData, match=r"every 10 min: \d+ healthy ones so far .* 300 are the least"):
        site.trainer(gateway(before, replace(TOLD[0], since=END - 60 * SECOND))).lesson("p1")


def test_what_a_gateway_did_not_thin_is_learned_from_as_if_the_site_had_read_it(site: Site) -> None:
    usual = site.trainer().lesson("p1")
    own_rule = replace(TOLD[0], thinned=(("*", True), ("p1.*", False)))
    for reductions in ((replace(TOLD[0], thinned=(("*", False),)),), (own_rule,)):
        lesson = site.trainer(gateway(*reductions)).lesson("p1")
        np.testing.assert_array_equal(lesson.healthy, usual.healthy)
        assert len(lesson.notes) == 1


def test_the_days_without_thinning_count_beside_the_stretches_of_other_days(site: Site) -> None:
    lately = (TOLD[0], Reduction(END - HOUR, (("*", False),), 90, 600))
    lesson = site.trainer(gateway(*lately, signals=["p2.speed"])).lesson("p2")
    assert f"Learned from {40 + 30} whole stretches of 90 s" in lesson.notes[1]


def test_what_is_missing_is_said(site: Site) -> None:
    def why(*reductions: Reduction) -> str:
        with pytest.raises(NotEnoughData) as caught:
            site.trainer(gateway(*reductions)).lesson("p1")
        return str(caught.value)

    assert "older version, so upgrade it" in why()
    assert "sends no stretch of it whole: set whole_s" in why(replace(TOLD[0], whole_s=0))
    few = why(replace(TOLD[0], since=END - 20 * MINUTE))
    assert "g1 thins this machine and sends a whole stretch of 90 s every 10 min: 2 healthy ones so far, 5 are" in few
    full = why(TOLD[0], replace(TOLD[0], since=EARLY.end, whole_s=0))
    assert "sends no stretch" in full
    early = why(TOLD[0], Reduction(EARLY.end, ALL, 90, 86_400))
    assert "more hold next to nothing" in early
    assert "20 rows of 1 s, and each is judged by the 29 before it: set whole_s to 89 or more" in why(
        replace(TOLD[0], whole_s=20, whole_every_s=60)
    )


def test_three_readings_of_a_minute_are_what_a_full_disk_leaves() -> None:
    def read(every_s: int, rows: int) -> Series:
        time = START + np.arange(rows, dtype=np.int64) * every_s * SECOND
        return Series(np.ones(rows, np.int32), time, np.zeros(rows), np.zeros(rows, np.uint32))

    span = Span(START, START + 90 * SECOND)
    assert is_whole(read(1, 90), span, SECOND)
    assert is_whole(read(10, 9), span, SECOND)
    assert is_whole(read(10, 11), Span(START + 15 * SECOND, START + 105 * SECOND), SECOND)
    assert not is_whole(read(20, 5), span, SECOND)
    assert is_whole(read(20, 5), span, 20 * SECOND), "it is read no faster"
    long = Span(START, START + 1_800 * SECOND)
    assert is_whole(read(20, 90), long, 20 * SECOND)
    assert not is_whole(read(200, 9), long, 20 * SECOND)
    assert not is_whole(read(1, 0), span, SECOND)


def status(name: str, *reductions: Reduction, waits: bool = False) -> GatewayStatus:
    uplink, buffer = UplinkStatus(SiteState.CONNECTED, 1), BufferStatus(1, 0, 0, 1)
    return GatewayStatus(
        *(name, "1", 2, 1, GatewayRole.ALONE, uplink, buffer, LedgerSums()),
        waits_for_disk=waits,
        reductions=reductions,
    )


def test_the_site_knows_what_its_gateways_said(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        catalog.gateways.keep_signals("g1", "t", ["p1.speed", "p2.speed"], ["p1.speed"])
        catalog.gateways.keep_signals("g2", "t", ["p2.speed"], ["p2.speed"])
        asked = senders_of(catalog.gateways)
        assert asked(["p1.speed", "p1.flow"]) == [Sender("g1", ("p1.speed",), ())]
        assert asked(["p3.speed"]) == []
        catalog.gateways.beat(status("g1", *TOLD), [])
        (sender,) = asked(["p1.speed"])
        assert sender == replace(gateway(*TOLD, signals=["p1.speed"]), until=START + HOUR), "nothing was sent before"
        catalog.gateways.beat(status("g1", waits=True), [])
        assert asked(["p1.speed"])[0].reductions == TOLD, "it lies on the disk that the gateway waits for"
    with opened(tmp_path, now=END) as catalog:
        assert senders_of(catalog.gateways)(["p1.speed"])[0].reductions == TOLD
        catalog.gateways.beat(status("g1"), [])
        assert senders_of(catalog.gateways)(["p1.speed"])[0].reductions == (), "an older version does not say"
        catalog.gateways.beat(status("g1", *TOLD), [])
        assert senders_of(catalog.gateways)(["p1.speed"])[0].reductions == (replace(TOLD[0], since=END),)


def test_a_gateway_that_is_gone_counts_until_it_was_heard_last(site: Site) -> None:
    usual = site.trainer(gateway(*TOLD)).lesson("p1")
    for reductions in ((), (Reduction(0, ALL, 300, 1_800),)):
        gone = replace(gateway(*reductions, name="old"), until=START + 90 * MINUTE)
        lesson = site.trainer(gone, gateway(*TOLD)).lesson("p1")
        assert lesson.notes[1].startswith(f"Learned from {27 if not reductions else 28} whole stretches of 90 s"), (
            lesson.notes
        )
        before = site.trainer(replace(gone, until=START - 1), gateway(*TOLD)).lesson("p1")
        np.testing.assert_array_equal(before.healthy, usual.healthy)
        assert "old" not in before.notes[1]


def test_what_is_read_after_a_gateway_was_gone_is_learned_from_as_it_is(site: Site) -> None:
    for reductions in ((), TOLD):
        gone = replace(gateway(*reductions, name="old", signals=["p2.speed"]), until=START + 2 * HOUR)
        lesson = site.trainer(gone).lesson("p2")
        assert len(lesson.healthy) > 3 * 3_600
    late = replace(gateway(name="old", signals=["p2.speed"]), until=END - 2 * MINUTE)
    with pytest.raises(NotEnoughData, match=r"old was last heard of at 2023.* retire it on its page\): 2 minutes"):
        site.trainer(late).lesson("p2")
    with pytest.raises(NotEnoughData, match=r"leaves out nothing of this machine, which is known since .*: 3 minutes"):
        site.trainer(gateway(Reduction(END - 3 * MINUTE, (("*", False),)), signals=["p2.speed"])).lesson("p2")


def test_who_thinned_is_asked_of_the_time() -> None:
    never, span = Reduction(START, (("*", False),)), Span(START, END)
    assert not thins_any([], span)
    assert thins_any([gateway(*TOLD)], span)
    assert thins_any([gateway()], span), "it does not say"
    assert not thins_any([gateway(never)], span)
    assert thins_any([gateway(*TOLD, never)], Span(START - MINUTE, END)), "until then it did"
    assert thins_any([gateway(never)], Span(START - 1, END)), "nothing is known of before"
    for gone in (gateway(*TOLD), gateway()):
        assert not thins_any([replace(gone, until=START)], span)
        assert thins_any([replace(gone, until=START + 1)], span)


def test_an_asset_that_was_renamed_is_not_learned_from_stretches_of_its_new_name(site: Site) -> None:
    """They lie elsewhere; what lies there holds more than three readings a minute, but not all."""
    whole = site.trainer(gateway(*TOLD)).lesson("p1")
    elsewhere = WholeStretches(90, 600).spans("p1-renamed", EARLY.end, END)
    view = CatalogPlantView(site.catalog.plant)
    signals = view.signals_of("p1")
    keys = np.array(sorted(s.key for s in signals), np.int32)

    def parts(spans: Sequence[Span], rate_hz: float) -> list[Span]:
        rated = [replace(s, rate_hz=rate_hz) for s in signals]
        return _whole_parts([(s, site.reader.raw(keys, s.start, s.end)) for s in spans], rated, SECOND)

    own = list(WholeStretches(90, 600).spans("p1", EARLY.end, END))
    other = [s for s in elsewhere if not any(s.start < o.end and o.start < s.end for o in own)]
    assert len(whole.healthy) > 0
    assert sum(is_whole(site.reader.raw(keys, s.start, s.end), s, SECOND) for s in other) > 5, (
        "more than three a minute"
    )
    assert [s for s in parts(sorted([*own, *other], key=lambda s: s.start), 1.0) if s in other] == []
    inside = own[1:-1]
    assert parts(inside, 1.0) == inside
    assert parts(inside, 4.0) == inside, "told as they change: none ever comes at its rate"
    assert parts(inside, 0.01) == inside, "a rate that cannot tell"


def test_a_machine_that_is_run_in_two_ways_is_learned_in_both() -> None:
    """Each stretch is shorter than it takes to settle."""
    gap = np.full((1, 4), np.nan)
    speeds = (1450.0, 1450.0, 900.0)
    healthy = np.vstack([part for n in range(24) for part in (behaviour(n, 90, speeds[n % 3]), gap)])
    signals = small_plant("p1").signals
    settings = MachineSettings(regimes=RegimeSettings(settled_at_breaks=True))
    model = learn_machine("p1", healthy, signals, SECOND, DETECTORS, settings)
    assert [e is not None for e in model.ensembles] == [True, True]
    for seed, speed in ((77, 1450.0), (78, 900.0)):
        rows = behaviour(seed, 2_000, speed)
        assert over(model, rows) < 0.001
        rows[:, 2] += 0.6
        assert over(model, rows) > 0.95
    with pytest.raises(NotEnoughData):
        learn_machine("p1", healthy[91:], signals, SECOND, DETECTORS)
