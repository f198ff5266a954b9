"""Jobs of training that nobody asked for, over a real catalog."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.assets import Asset, Plant
from forewarn.domain.audit import OWN, AuditAction
from forewarn.domain.findings import BY_MODEL, Finding, Severity
from forewarn.domain.jobs import ItemState, Job, JobItem
from forewarn.domain.model_versions import ModelCard, Span
from forewarn.jobs.known_models import KnownModels
from forewarn.jobs.training.by_itself import TrainingByItself
from forewarn.jobs.training.run import training_job
from forewarn.jobs.training.schedule import ScheduleSettings
from forewarn.kit.clock import DAY, HOUR, MINUTE
from tests.catalog.plants import PATH, plant
from tests.catalog.test_models import judged, made

ASSETS = ("p1", "p2", "p3")
START = 20_000 * DAY


class Site:
    """`past`: machines whose past suffices; `looked`: those that it was read of."""

    def __init__(self, folder: Path) -> None:
        self.now, self.past, self.looked = START, set[str](), list[str]()
        url = f"sqlite:///{folder / 'catalog.db'}"
        self.catalog: Catalog = open_catalog(url, lambda: self.now, Seal(b"0" * 32), folder / "models")
        whole = plant(*ASSETS)
        shed = Asset("shed", "Shed", PATH)  # nothing is measured of it
        self.catalog.plant.apply(Plant((*whole.assets, shed), whole.signals, whole.sources, whole.place_names), ())
        self.restart()

    def restart(self) -> None:
        catalog = self.catalog
        known = KnownModels(catalog.models, lambda: catalog.revisions.read().get("models", 0))
        parts = (catalog.jobs, known, catalog.anomalies, CatalogPlantView(catalog.plant), self.has_past)
        self.training = TrainingByItself(*parts, lambda: self.now, ScheduleSettings(), 14.0)

    def has_past(self, asset_id: str) -> bool:
        self.looked.append(asset_id)
        return asset_id in self.past

    def done(self, job: Job, state: ItemState = ItemState.NOT_ENOUGH) -> None:
        self.catalog.jobs.claim("train", "here", 1 << 60, job.id)
        for item in job.items:
            self.catalog.jobs.told(job.id, "here", JobItem(item.asset_id, state))
        self.catalog.jobs.finish(job.id, "here")

    def look(self, after: int = 0) -> list[Job]:
        self.now += after
        return self.training.look()

    def crown(self, asset_id: str, hours: int = 14 * 24) -> str:
        version, artifact = made(asset_id)
        card = ModelCard((Span(0, hours * HOUR),), 9, ("s",))
        kept = self.catalog.models.add(
            type(version)(version.id, asset_id, "", ("pca",), self.now, card, "", 0), artifact
        )
        return self.catalog.models.promote(kept.id, judged).id


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made_here = Site(tmp_path)
    yield made_here
    made_here.catalog.close()


def assets(jobs: list[Job]) -> list[list[str]]:
    return [[item.asset_id for item in job.items] for job in jobs]


def test_as_soon_as_the_past_suffices_and_one_job_at_a_time(site: Site) -> None:
    site.past = {"p2"}
    (job,) = site.look()
    assert assets([job]) == [["p2"]]
    assert (job.by, job.settings["promote"], job.settings["why"]) == (OWN, "first", "it has no model yet")
    (entry,) = site.catalog.audit.find(AuditQuery(actions=(AuditAction.COMMAND_GIVEN,)))
    assert (entry.deed.actor, entry.deed.why) == (OWN, "it has no model yet")
    site.past = set(ASSETS)
    assert site.look(MINUTE) == []
    assert sorted(site.looked) == list(ASSETS)  # each once in minutes, and never one of which nothing is measured
    assert assets(site.look(5 * MINUTE)) == [["p1", "p3"]]


def test_what_came_to_nothing_is_not_tried_in_a_storm_whoever_restarts(site: Site) -> None:
    site.past, tried = {"p1"}, 0
    for _ in range(24 * 12):
        site.restart()
        for job in site.look(5 * MINUTE):
            tried += 1
            site.done(job)
    assert 6 <= tried <= 8  # 10, 20, 40, ... minutes apart in a day
    site.past = set()
    site.looked.clear()
    site.look(2 * DAY)
    assert "p1" in site.looked


def test_what_a_person_asked_for_is_not_asked_for_again(site: Site) -> None:
    site.past = {"p1", "p2"}
    site.catalog.jobs.add(training_job(["p1"], "anna", site.now, 14.0))
    assert assets(site.look()) == [["p2"]]


def test_a_model_that_fits_no_more_is_replaced_at_once(site: Site) -> None:
    for asset_id in ASSETS:
        site.crown(asset_id)
    assert site.look(HOUR) == []
    about = {"score": 0.65, "value": 0.0, "expected": None, "reason": "", "started_at": site.now, "last_at": site.now}
    kinds = {"p1": "model_signals_changed", "p2": "model_input_drift", "p3": "model_split"}
    signals = {s.asset_id: s for s in site.catalog.plant.signals()}
    site.catalog.anomalies.upsert(
        [
            Finding(signals[a].key, signals[a].id, a, BY_MODEL, kind, Severity.MEDIUM, **about)  # type: ignore[arg-type]
            for a, kind in kinds.items()
        ]
    )
    (job,) = site.look(MINUTE)
    assert assets([job]) == [["p1"]]
    assert job.settings["promote"] == "always"
    site.done(job)
    assert site.look(HOUR) == []
    assert assets(site.look(DAY)) == [["p1"]]


def test_what_was_learned_of_little_is_learned_anew_when_there_is_twice_as_much(site: Site) -> None:
    site.crown("p1", hours=24)
    site.crown("p2")
    assert site.look(DAY - 1) == []
    (job,) = site.look(1)
    assert assets([job]) == [["p1"]]
    assert job.settings["promote"] == "first"


def test_what_was_learned_in_a_hurry_is_replaced_when_the_past_suffices(site: Site) -> None:
    site.crown("p1", hours=2)
    assert site.look(HOUR) == []
    site.past = {"p1"}
    (job,) = site.look(HOUR)
    assert assets([job]) == [["p1"]]
    assert job.settings["promote"] == "always"
