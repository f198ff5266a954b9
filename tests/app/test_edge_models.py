"""A gateway's models as they are put together: what grows old is told there too."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from forewarn.api.gateway_drift import GatewayDrift
from forewarn.api.gateway_tallies import told_models
from forewarn.app.gateway.edge_models import EdgeModels, edge_models
from forewarn.app.gateway.file_plant import FilePlantView
from forewarn.app.gateway.reaching_out import site_link
from forewarn.app.gateway.stores import open_stores
from forewarn.contracts.stage import Carriage
from forewarn.domain.assets import Asset, Plant
from forewarn.domain.findings import BY_EDGE, BY_MODEL, ENSEMBLE, Finding
from forewarn.domain.gateways import GatewayRole
from forewarn.domain.model_delivery import MachineDrift, Thresholds, WantedModels
from forewarn.domain.readings import ReadingBatch
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.local.findings import LocalFindings
from forewarn.gateway.standby import Standby
from forewarn.kit.clock import now_us
from forewarn.pipeline.score import ScoreStage
from forewarn.policies.gateway_settings import GatewaySettings, UplinkSettings
from tests.trained import KINDS, SECOND, SITE, healthy, learned, signals_of, signed

PLANT = Plant((Asset("p1", "Pump one", ("a", "b", "c", "d")),), tuple(signals_of("p1")))
OLD, NEW = signed(learned("p1")), signed(learned("p1", 1))
DEAF = (50.0,)  # a threshold that nothing reaches
START = 1_700_000_000 * SECOND


@dataclass
class Edge:
    models: EdgeModels
    score: ScoreStage
    store: LocalFindings
    newest: int = 0
    found: list[Finding] = field(default_factory=list)

    def take(self, version: str, artifact: bytes, thresholds: Thresholds | None = DEAF) -> None:
        wanted = WantedModels(version, {"p1": version}, thresholds={} if thresholds is None else {version: thresholds})
        if self.models.local.lacks(wanted):
            self.models.local.fetched(version, "p1", artifact)
        self.models.local.take(wanted)

    def see(self, first: int, values: NDArray[np.float64]) -> list[Finding]:
        """Minute by minute; what was told of the model."""
        found = []
        for at in range(0, len(values), 600):
            rows = values[at : at + 600]
            n = len(rows)
            time = np.tile(START + (first + at + np.arange(n)) * SECOND, len(KINDS))
            signal = np.repeat(np.arange(1, 4, dtype=np.int32), n)
            batch = ReadingBatch(signal, time, rows.T.ravel().copy(), np.zeros(3 * n, np.uint32), "", 0)
            number = first + at + n
            self.newest = START + number * SECOND
            told = self.score.handle(Carriage(number, number, [(number, batch)], batch)).findings
            self.found += told
            found += [f for f in told if f.detector == BY_MODEL]
        return found


@contextlib.contextmanager
def started(directory: Path, standby: object = None) -> Iterator[Edge]:
    settings = GatewaySettings("line-1", directory, uplink=UplinkSettings("https://x", model_keys=(SITE.public_key,)))
    with contextlib.ExitStack() as closing:
        conditions = Conditions("", now_us)
        stores = open_stores(settings, conditions, closing)
        view = FilePlantView(PLANT, stores.keys.take(PLANT))
        models = edge_models(settings, stores, site_link(settings), conditions, cast("Standby | None", standby))
        store = LocalFindings(stores.memory)
        yield Edge(models, ScoreStage([], store, view, machines=models.watch), store)


def told_to(site: GatewayDrift, edge: Edge) -> int:
    """Two heartbeats: a site is told what it knows nothing of once it has said so. The number that it knows then."""
    courier, known = edge.models.courier, 0
    assert courier is not None
    for _ in range(2):
        news = told_models(msgspec.json.encode({"status": {}, **courier.told()}))[2]
        known = site.told("line-1", news, {"p1"})
        courier.heard({"time": now_us(), "models": "", "held": "", "drift": known})
    assert "drift" not in courier.told()
    return known


def test_who_stands_by_tells_nothing_of_what_it_judges(tmp_path: Path) -> None:
    partner = SimpleNamespace(role=(GatewayRole.STANDBY, ""))
    with started(tmp_path, partner) as edge:
        edge.take(*OLD)
        edge.see(0, healthy(19_200, 200))
        site = GatewayDrift()
        told_to(site, edge)
        assert site.of("p1") is None
        partner.role = (GatewayRole.ALONE, "")
        told_to(site, edge)
        assert site.of("p1") is not None
        partner.role = (GatewayRole.STANDBY, "")
        told_to(site, edge)
        assert site.of("p1") is None


def test_what_a_model_finds_at_the_gateway_says_so(tmp_path: Path) -> None:
    with started(tmp_path) as edge:
        edge.take(*OLD, thresholds=None)
        edge.see(0, healthy(1_200, 200))
        edge.see(1_200, season(1_200, 600))
        assert {(f.detector, f.detected_by) for f in edge.found} == {(ENSEMBLE, BY_EDGE)}
        assert {f.detected_by for f in edge.store.open_episodes()} == {BY_EDGE}


def season(first: int, rows: int) -> NDArray[np.float64]:
    """The temperature has moved by some spreads for good."""
    values = healthy(first + rows, 300)[first:]
    values[:, 2] += 6.0
    return values


def test_a_model_that_grows_old_is_told_at_the_gateway_until_another_takes_its_place(tmp_path: Path) -> None:
    with started(tmp_path) as edge:
        edge.take(*OLD)
        assert edge.see(0, healthy(15_600, 200)) == []
        told = edge.see(15_600, season(15_600, 30_000))
        assert {(f.asset_id, f.signal_id, f.anomaly_type) for f in told} == {
            ("p1", "p1.temperature", "model_input_drift")
        }
        assert told[-1].ended_at is None
        site = GatewayDrift()
        assert told_to(site, edge) == told_to(site, edge) > 0
        by, drift = site.of("p1") or ("", MachineDrift(0))
        assert by == "line-1"
        assert 0 < edge.newest - drift.at <= 600 * SECOND
        psi, mark = drift.signals["p1.temperature"]
        assert psi > mark
        assert all(psi < mark for signal, (psi, mark) in drift.signals.items() if signal != "p1.temperature")
    with started(tmp_path) as edge:
        assert told_to(site, edge) > 0
        assert site.of("p1") is None  # it has judged nothing yet
        assert [f.started_at for f in edge.store.open_episodes()] == [told[0].started_at]
        assert edge.see(45_600, season(45_600, 600))[-1].ended_at is None
        edge.take(*NEW)
        (ended,) = [f for f in edge.see(46_200, season(46_200, 600)) if f.ended_at is not None]
        assert ended.started_at == told[0].started_at
        assert edge.store.open_episodes() == []
