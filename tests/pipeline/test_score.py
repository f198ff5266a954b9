"""The score stage: findings reach the store once, survive a restart, and tell the judge what it must know."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.catalog import Catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.pipeline.score import ScoreStage
from forewarn.plugins.detectors.flatline import Flatline
from forewarn.plugins.detectors.limits import Limits
from forewarn.plugins.detectors.rate_of_change import RateOfChange
from forewarn.plugins.detectors.robust_z import RobustZ
from forewarn.plugins.historians.parquet import ParquetHistorian
from tests.pipeline.pump import HEAT, PUMP, SECOND, START, Road, View, pump_catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with pump_catalog(tmp_path) as opened:
        yield opened


def stage(catalog: Catalog) -> ScoreStage:
    return ScoreStage([Limits(), RateOfChange(), Flatline(), RobustZ()], catalog.anomalies, View(catalog))


def stored(catalog: Catalog) -> list[Finding]:
    return [a.finding for a in catalog.anomalies.find(AnomalyQuery())[0]]


def test_a_limit_finding_opens_is_kept_quiet_and_closes(catalog: Catalog) -> None:
    score, road = stage(catalog), Road(View(catalog))
    opened = score.handle(road.carriage(0, t=[70.0, 85.0])).findings
    assert [(f.signal_id, f.detector, f.anomaly_type, f.ended_at) for f in opened] == [
        ("p1.t", "limits", "limit", None)
    ]
    assert opened[0].reason == "85 degC is above the limit of 80 degC"
    assert score.handle(road.carriage(2, t=[85.0] * 20)).findings == ()
    closed = score.handle(road.carriage(22, t=[70.0] * 15)).findings
    assert [(f.started_at, f.ended_at) for f in closed] == [(START + SECOND, START + 21 * SECOND)]
    assert stored(catalog) == list(closed)


def test_bad_and_unknown_readings_are_not_scored(catalog: Catalog) -> None:
    score, road = stage(catalog), Road(View(catalog))
    assert score.handle(road.carriage(0, t=[float("nan")] * 5)).findings == ()
    good = road.carriage(10, t=[99.0])
    stranger = ReadingBatch(
        np.array([999], np.int32), good.readings.time, good.readings.value, good.readings.quality, "gw", 9
    )
    assert score.handle(type(good)(5, 5, (), stranger)).findings == ()


def test_a_carriage_tried_again_gets_the_same_findings_and_an_old_one_changes_nothing(catalog: Catalog) -> None:
    score, road = stage(catalog), Road(View(catalog))
    first = road.carriage(0, t=[85.0])
    assert score.handle(first).findings == score.handle(first).findings != ()
    assert len(stored(catalog)) == 1


def test_a_store_that_fails_once_loses_no_finding(catalog: Catalog) -> None:
    class Broken:
        def upsert(self, findings: object) -> None:
            raise OSError("disk full")

        def open_episodes(self) -> tuple[Finding, ...]:
            return ()

    view = View(catalog)
    score, carriage = ScoreStage([Limits()], Broken(), view), Road(view).carriage(0, t=[85.0])  # type: ignore[arg-type]
    with pytest.raises(OSError, match="disk full"):
        score.handle(carriage)
    score._anomalies = catalog.anomalies
    assert len(score.handle(carriage).findings) == 1
    assert len(stored(catalog)) == 1


def test_an_open_finding_is_told_again_after_a_restart_and_then_closes(catalog: Catalog) -> None:
    road = Road(View(catalog))
    stage(catalog).handle(road.carriage(0, t=[85.0]))
    later = stage(catalog)
    again = later.handle(road.carriage(1, t=[85.0])).findings
    assert [(f.started_at, f.ended_at) for f in again] == [(START, None)]
    later.handle(road.carriage(2, t=[70.0] * 15))
    assert [(f.started_at, f.ended_at) for f in stored(catalog)] == [(START, START + SECOND)]


def test_a_plant_that_grows_is_followed(catalog: Catalog) -> None:
    view = View(catalog)
    score = ScoreStage([Limits()], catalog.anomalies, view)
    score.handle(Road(view).carriage(0, t=[50.0]))
    extra = replace(HEAT, id="p1.t2", name="t2")
    catalog.plant.apply(replace(PUMP, signals=(*PUMP.signals, extra)), [])
    view.refresh()
    road = Road(view)
    road.offset = 1
    assert [f.signal_id for f in score.handle(road.carriage(1, t2=[95.0])).findings] == ["p1.t2"]


def test_history_warms_the_baselines_and_raises_nothing(catalog: Catalog, tmp_path: Path) -> None:
    view = View(catalog)
    road = Road(view)
    values = 50 + np.random.default_rng(1).normal(0, 0.2, 1000)
    past = road.carriage(0, t=list(values), speed=[1450.0] * 1000)
    historian = ParquetHistorian(tmp_path / "historian")
    historian.append(past.batches)
    cold, warm = stage(catalog), stage(catalog)
    warm.warm(historian, START + 1000 * SECOND)
    historian.close()
    assert stored(catalog) == []
    shifted = road.carriage(1000, t=[55.0] * 20, speed=[1450.0] * 20)
    assert cold.handle(shifted).findings == ()
    assert [f.detector for f in warm.handle(shifted).findings] == ["robust_z"]
