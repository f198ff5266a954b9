"""A site whose models come, stay fresh and are rolled out without a command."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from forewarn.app import model_care as care_module
from forewarn.app.cli import app
from forewarn.app.model_care import ModelCare, model_care
from forewarn.app.plant_view import CatalogPlantView
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.site_training import TrainingDesk, training_runs, workers_of
from forewarn.catalog import Catalog
from forewarn.domain.audit import OWN
from forewarn.domain.jobs import Job, NextTraining
from forewarn.domain.model_versions import ModelState
from forewarn.jobs.training.run import TrainingRuns, training_job
from forewarn.kit.clock import HOUR, SECOND, now_us
from forewarn.plugins.historians.parquet import ParquetReader
from tests.jobs.training.a_past import fill

HOURS = 25


@dataclass
class Site:
    settings: Settings
    catalog: Catalog
    care: ModelCare
    runs: TrainingRuns

    def train(self) -> Job:
        job = self.runs.run()
        assert job is not None
        return job


@contextmanager
def opened(directory: Path, **given: Any) -> Iterator[Site]:
    """As by a new process."""
    settings = Settings(directory=directory, **given)
    with (
        open_site_catalog(settings) as catalog,
        closing(ParquetReader(directory / "historian")) as past,
    ):
        plant = CatalogPlantView(catalog.plant)
        care = model_care(settings, catalog, plant, past, lambda: None)
        yield Site(settings, catalog, care, training_runs(settings, catalog, plant, past, workers_of(settings, 1), "t"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    fill(made, "p1", hours=HOURS, start=now_us() // HOUR * HOUR - HOURS * HOUR)
    return made


def test_the_first_model_comes_and_the_next_is_rolled_out(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(directory) as site:
        assert site.catalog.jobs.find() == []
        for _ in range(2):
            site.care.look_around()
            assert planned(site) == NextTraining(None, "a training of it is under way, or waits for its turn")
        (job,) = site.catalog.jobs.find()
        assert (job.by, job.settings["why"]) == (OWN, "it has no model yet")
        assert site.train().items[0].text == "champion: the first of this machine"
    with opened(directory) as site:
        assert planned(site) is None  # nobody has looked yet
        site.care.look_around()
        assert len(site.catalog.jobs.find()) == 1
        again = planned(site)
        assert again is not None
        assert again.at is not None
        assert again.why == "its past will have doubled by then"
    monkeypatch.setattr(care_module, "now_us", lambda: again.at - SECOND)
    with opened(directory) as site:
        site.care.look_around()
        assert planned(site) == again
        assert len(site.catalog.jobs.find()) == 1
    monkeypatch.setattr(care_module, "now_us", lambda: again.at)
    with opened(directory) as site:
        site.care.look_around()
        assert site.catalog.jobs.find()[0].settings["why"] == "its past has doubled"
        assert "the same as model" in site.train().items[0].text  # nothing was read since
        site.care.look_around()
        assert site.catalog.models.rollouts() == []
    monkeypatch.setattr(care_module, "now_us", lambda: now_us() + (14 * 24 - 12) * HOUR)
    with opened(directory) as site:
        site.care.look_around()  # half of what was learned from is beyond the last days now
        assert "candidate beside champion" in site.train().items[0].text
        site.care.look_around()
        (rollout,) = site.catalog.models.rollouts()
        assert (rollout.state, set(rollout.versions)) == (ModelState.CANDIDATE, {"p1"})
        site.care.look_around()
        assert len(site.catalog.models.rollouts()) == 1
        assert len(site.catalog.jobs.find()) == 3  # who is in a rollout is left alone
        assert planned(site) == NextTraining(None, "it is in a rollout: after that has ended")


def test_who_does_not_want_it_does_it_by_hand(tmp_path: Path) -> None:
    fill(tmp_path, "p1", hours=3, start=now_us() // HOUR * HOUR - 3 * HOUR)
    with opened(tmp_path, training_auto=False, rollout_auto=False) as site:
        site.care.look_around()
        assert site.catalog.jobs.find() == []
        assert planned(site) is None
        for days in (0.1, 0.11):
            site.catalog.jobs.add(training_job(["p1"], "anna", now_us(), days))
            site.train()
        site.care.look_around()
        assert site.catalog.models.rollouts() == []


def test_too_little_past_is_told_and_no_job(tmp_path: Path) -> None:
    fill(tmp_path, "p1", hours=2, start=now_us() // HOUR * HOUR - 2 * HOUR)
    with opened(tmp_path) as site:
        site.care.look_around()
        assert site.catalog.jobs.find() == []
        assert "2.0 h healthy; from 24 h of health on it is learned by itself" in site.care.waits("p1").replace(
            " of them", ""
        )
        assert site.care.waits("p9") == ""
        assert site.care.next_training("p1") == NextTraining(None, site.care.waits("p1"))
        assert site.care.next_training("p9") is None


def test_bytes_of_old_versions_go_and_the_card_says_so(tmp_path: Path) -> None:
    fill(tmp_path, "p1", hours=3, start=now_us() // HOUR * HOUR - 3 * HOUR)
    with opened(tmp_path, models_kept=2, rollout_auto=False, training_auto=False) as site:
        ids = []
        for days in (0.1, 0.11, 0.12, 0.13):
            site.catalog.jobs.add(training_job(["p1"], "anna", now_us(), days, "never"))
            ids.append(site.train().items[0].result)
        site.care.look_around()
        deleted = [version for version in ids if site.catalog.models.get(version).bytes_deleted_at is not None]
        assert deleted == ids[:2]
    shown = CliRunner().invoke(app, ["models", "show", ids[0], "--directory", str(tmp_path)])
    assert "its bytes were deleted on" in shown.output
    refused = CliRunner().invoke(app, ["models", "promote", ids[0], "--reason", "x", "--directory", str(tmp_path)])
    assert refused.exit_code == 1
    assert "FOREWARN_MODELS_KEPT" in refused.output.replace("\n", "")


async def test_what_a_person_asks_for_interrupts_what_the_site_does_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forewarn.app.site_training._GIVE_WAY_S", 0.0)
    machines = ("p1", "p2", "p3", "p4")
    fill(tmp_path, *machines, hours=1, start=now_us() // HOUR * HOUR - HOUR)
    with opened(tmp_path) as site:
        jobs = site.catalog.jobs
        own = jobs.add(training_job(machines, OWN, now_us(), 14.0)).id
        running = asyncio.create_task(TrainingDesk(site.runs).run())
        await until(lambda: jobs.get(own).done > 0)
        theirs = jobs.add(training_job(["p4"], "anna", now_us(), 14.0)).id
        await until(lambda: jobs.get(theirs).ended_at is not None)
        assert jobs.get(own).ended_at is None
        await until(lambda: jobs.get(own).ended_at is not None)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert [item.asset_id for item in jobs.get(own).items] == ["p1", "p2", "p3"]
        assert all(item.result for job in (own, theirs) for item in jobs.get(job).items)


def planned(site: Site) -> NextTraining | None:
    return site.care.next_training("p1")


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("waited a minute in vain")
