"""A finding looked at again: by the model that made it, from readings that are stored, or with the reason why not."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.plant_view import CatalogPlantView
from forewarn.app.site_courses import SiteCourses, around
from forewarn.catalog import Catalog
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.evidence import Contribution, Evidence
from forewarn.domain.findings import ENSEMBLE, Finding, Severity
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.kit.clock import MINUTE
from forewarn.learning.machine_artifact import packed
from forewarn.plugins.historians.parquet import HISTORIAN
from tests.app.test_site_models import OURS, STRANGER, catalog, crown
from tests.learning.test_fleet import DETECTORS, MODELS, SECOND
from tests.learning.test_hindsight import READINGS, START

__all__ = ["catalog"]
PEAK = START + 700 * SECOND


def finding(model: str, *shares: float) -> Finding:
    """Of machine a: from its 600th second on, as `READINGS` has it."""
    parts = [Contribution(s, share, 1.0, 2.0, "u") for s, share in zip(MODELS[0].signals, shares, strict=False)]
    evidence = Evidence(2.0, 1.4, 0, 1, PEAK - 30 * SECOND, PEAK, (), tuple(parts), (), model)
    span = (START + 600 * SECOND, START + 800 * SECOND, None, 200)
    said = (Severity.HIGH, 0.8, 1.0, 2.0, "flow is low", *span)
    return Finding(2, "a.flow", "a", ENSEMBLE, "multivariate", *said, evidence=evidence)


@pytest.fixture
def courses(catalog: Catalog, tmp_path: Path) -> Iterator[SiteCourses]:
    historian = HISTORIAN(tmp_path / "historian")
    order = np.lexsort((READINGS.time, READINGS.signal))
    columns = (READINGS.signal[order], READINGS.time[order], READINGS.value[order], READINGS.quality[order])
    historian.append([(1, ReadingBatch(*columns, "gw", 1))])
    historian.flush()
    yield SiteCourses(catalog.models, CatalogPlantView(catalog.plant), historian, DETECTORS, lambda: {OURS.public_key})
    historian.close()


def test_the_signals_with_the_greatest_shares_are_told_around_the_finding(
    catalog: Catalog, courses: SiteCourses
) -> None:
    told = courses.of(finding(crown(catalog, packed(MODELS[0]), "a"), 0.04, 0.7, 0.26))
    assert told.signals == MODELS[0].signals[1:3]
    assert told.time[0] >= START + 400 * SECOND
    before, during = told.time < START + 590 * SECOND, told.time > START + 640 * SECOND
    assert np.nanmax(told.ratio[before]) < 1 < np.nanmin(told.ratio[during])
    assert np.isfinite(told.expected[during, 0]).all()


def test_what_a_gateway_thinned_is_not_judged(catalog: Catalog, tmp_path: Path) -> None:
    kept = (READINGS.time < START + 500 * SECOND) & (READINGS.time // SECOND % 20 > 0)
    whole = Series(*(column[~kept] for column in (READINGS.signal, READINGS.time, READINGS.value, READINGS.quality)))
    with contextlib.closing(HISTORIAN(tmp_path / "historian")) as historian:
        order = np.lexsort((whole.time, whole.signal))
        columns = (whole.signal[order], whole.time[order], whole.value[order], whole.quality[order])
        historian.append([(1, ReadingBatch(*columns, "gw", 1))])
        historian.flush()
        plant, ours = CatalogPlantView(catalog.plant), {OURS.public_key}
        courses = SiteCourses(catalog.models, plant, historian, DETECTORS, lambda: ours, lambda _signals, _span: True)
        told = courses.of(finding(crown(catalog, packed(MODELS[0]), "a"), 0.04, 0.7, 0.26))
    assert told.is_thinned
    thinned = told.time < START + 500 * SECOND
    assert thinned.any()
    assert np.isnan(told.ratio[thinned]).all()
    assert np.isnan(told.expected[thinned]).all()
    assert np.nanmin(told.ratio[told.time > START + 640 * SECOND]) > 1


def test_what_cannot_be_told_any_more_is_said_with_the_reason(
    catalog: Catalog, courses: SiteCourses, tmp_path: Path
) -> None:
    with pytest.raises(Conflict, match="not made by a trained model"):
        courses.of(replace(finding("ab" * 32), evidence=None))
    with pytest.raises(Conflict, match="abababababab, which made this finding, is not kept here"):
        courses.of(finding("ab" * 32, 1.0))
    foreign = crown(catalog, packed(MODELS[1]), "b", STRANGER)
    with pytest.raises(Conflict, match="cannot be asked any more"):
        courses.of(finding(foreign, 1.0))
    gone = crown(catalog, packed(MODELS[0]), "a")
    (file,) = (tmp_path / "models").rglob(f"*{gone}*")
    file.unlink()
    with pytest.raises(Conflict, match="cannot be asked any more"):
        courses.of(finding(gone, 1.0))


def test_a_signal_that_the_plant_has_lost_is_named(catalog: Catalog, courses: SiteCourses) -> None:
    model = replace(MODELS[0], signals=("a.gone", *MODELS[0].signals[1:]))
    with pytest.raises(Conflict, match=r"no longer has a\.gone"):
        courses.of(finding(crown(catalog, packed(model), "a"), 1.0))


def test_healthy_scores_are_of_a_model_that_is_known(catalog: Catalog, courses: SiteCourses) -> None:
    (told,) = courses.scores(crown(catalog, packed(MODELS[0]), "a"))
    assert told.rows > 1_000
    with pytest.raises(NotFound):
        courses.scores("ab" * 32)


def test_a_short_finding_has_room_around_it_and_a_long_one_is_cut_around_its_peak() -> None:
    one = finding("")
    assert around(one) == (START + 400 * SECOND, START + 1_000 * SECOND)
    short = replace(one, last_at=one.started_at)
    assert around(short) == (one.started_at - 3 * MINUTE, one.started_at + 3 * MINUTE)
    day = replace(one, last_at=one.started_at + 1_440 * MINUTE)
    start, end = around(day)
    assert end - start == 120 * MINUTE
    assert start <= PEAK < end
    assert start == one.started_at - 30 * MINUTE or start == PEAK - 60 * MINUTE
