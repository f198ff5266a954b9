"""A machine whose signals are split is told of while it is, across a restart too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.plant_view import CatalogPlantView
from forewarn.app.site_splits import SiteSplits, WholeMachines
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.contracts.stage import Carriage
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import SECOND
from forewarn.learning.machine_watch import MachineWatch
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.pipeline.score import ScoreStage
from tests.learning.test_machine_watch import Models
from tests.trained import DETECTORS, healthy, learned, signals_of

BEGAN = 1_700_000_000 * SECOND


class Clock:
    now = BEGAN

    def __call__(self) -> int:
        return self.now


class Site:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.plant, self.clock = catalog, CatalogPlantView(catalog.plant), Clock()
        self.judged = {"p1": tuple(s.id for s in signals_of("p1"))}
        self.start()

    def start(self) -> None:
        self.edge = EdgeDesk()
        self.splits = SiteSplits(self.catalog.anomalies, self.plant, self.edge, lambda: self.judged, self.clock)

    def collect(self, **kinds: str) -> None:
        for gateway, told in kinds.items():
            keys = [self.plant.table.key_of[f"p1.{kind}"] for kind in told.split()]
            self.edge.scores(gateway, np.array(keys, np.int32))

    def told(self, after_s: float = 0.0) -> list[Finding]:
        self.clock.now += int(after_s * SECOND)
        self.splits.look_around()
        return self.edge.take_findings()

    def standing(self) -> list[Finding]:
        return list(self.catalog.anomalies.open_episodes())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}", lambda: BEGAN, Seal(b"0" * 32)) as catalog:
        signals = tuple(Signal(s.id, s.asset_id, s.name, s.kind, s.unit) for s in signals_of("p1"))
        assets = tuple(Asset(name, name, ("a", "b", "c", "d")) for name in ("p1", "q1"))
        catalog.plant.apply(Plant(assets, (*signals, Signal("q1.flow", "q1", "flow", "flow", "1"))), ())
        yield Site(catalog)


def test_it_is_told_when_it_lasts_and_ends_when_it_is_mended(site: Site) -> None:
    assert site.told() == []
    site.collect(a="flow pressure", b="temperature")
    assert site.told(6) == site.told(6) == []  # it may be on its way from one to the other
    (begun,) = site.told(60)
    assert (begun.asset_id, begun.ended_at) == ("p1", None)
    assert "gateway a has flow, pressure; gateway b has temperature" in begun.reason
    assert site.told(6) == []
    site.collect(a="flow")
    (changed,) = site.told(6)
    assert (changed.started_at, changed.ended_at) == (begun.started_at, None)
    assert "this site itself has pressure" in changed.reason
    site.collect(b="flow pressure temperature")
    (ended,) = site.told(6)
    assert (ended.started_at, ended.ended_at) == (begun.started_at, site.clock.now)
    assert site.standing() == []
    assert len(site.catalog.anomalies.find(AnomalyQuery())[0]) == 1


def test_what_stands_is_taken_up_by_the_next_process_and_not_by_the_line(site: Site) -> None:
    site.collect(a="flow", b="pressure temperature")
    site.told()
    (begun,) = site.told(61)
    site.start()
    site.collect(a="flow", b="pressure temperature")
    line = ScoreStage(
        [], site.catalog.anomalies, site.plant, edge=site.edge, machines=MachineWatch(Models(), DETECTORS)
    )
    key = np.array([site.plant.table.key_of["q1.flow"]], np.int32)
    batch = ReadingBatch(key, np.array([BEGAN]), np.ones(1), np.zeros(1, np.uint32), "", 1)
    told = line.handle(Carriage(1, 1, [(1, batch)], batch))
    assert [(f.started_at, f.ended_at) for f in told.findings] == [(begun.started_at, None)]  # for the judge
    assert [f.ended_at for f in site.standing()] == [None]
    assert site.told(6) == []
    site.collect(a="", b="")
    (ended,) = site.told(6)
    assert ended.started_at == begun.started_at
    assert site.standing() == []


def test_a_machine_without_a_model_is_nobody_s_affair(site: Site) -> None:
    site.judged = {}
    site.collect(a="flow", b="pressure temperature")
    assert site.told() == site.told(61) == []


def test_a_part_of_a_machine_is_not_judged_by_its_model(site: Site) -> None:
    source = Models(replace(learned("p1"), version="v"))
    watch = MachineWatch(WholeMachines(source, site.splits), DETECTORS)
    watch.configure(site.plant.table)
    keys = [site.plant.table.key_of[f"p1.{kind}"] for kind in ("flow", "pressure")]

    def judged(first: int) -> int:
        """Opinions on a minute of two of its three signals."""
        before, values = watch.seen.opinions, healthy(first + 60, 3)[first:, :2]
        time = np.tile(BEGAN + np.arange(first, first + 60) * SECOND, 2)
        signal = np.repeat(np.array(keys, np.int32), 60)
        watch.score(ReadingBatch(signal, time, values.T.ravel().copy(), np.zeros(120, np.uint32), "", 0))
        return watch.seen.opinions - before

    site.told()
    assert judged(0) > 0  # one sensor is silent: the others speak
    site.collect(a="temperature")
    site.told(6)
    assert judged(60) == 0
    assert not watch.judges(site.plant.table.size).any()
    site.collect(a="")
    site.told(6)
    assert judged(120) > 0
