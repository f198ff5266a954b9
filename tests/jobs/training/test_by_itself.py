"""Jobs of training that nobody asked for, over a real catalog."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.assets import Asset, Plant
from forewarn.domain.audit import OWN, AuditAction
from forewarn.domain.findings import BY_MODEL, Finding, Severity
from forewarn.domain.jobs import ItemState, Job, JobItem
from forewarn.domain.model_versions import ModelCard, ModelState, Span
from forewarn.domain.rollouts import RollbackReason, Rollout
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

    def done(self, job: Job, items: Sequence[JobItem] = ()) -> None:
        self.catalog.jobs.claim("train", "here", 1 << 60, job.id)
        for item in items or [JobItem(one.asset_id, ItemState.NOT_ENOUGH) for one in job.items]:
            self.catalog.jobs.told(job.id, "here", item)
        self.catalog.jobs.finish(job.id, "here")

    def find(self, kinds: Mapping[str, str], at: int | None = None) -> None:
        """Findings by models that stand since then, now by default, by asset id."""
        at = self.now if at is None else at
        signals = {s.asset_id: s for s in self.catalog.plant.signals()}
        about: dict[str, Any] = {"score": 0.65, "value": 0.0, "expected": None, "reason": ""}
        about |= {"started_at": at, "last_at": at}
        self.catalog.anomalies.upsert(
            [
                Finding(signals[a].key, signals[a].id, a, BY_MODEL, kind, Severity.MEDIUM, **about)
                for a, kind in kinds.items()
            ]
        )

    def look(self, after: int = 0) -> list[Job]:
        self.now += after
        return self.training.look()

    def keep(self, asset_id: str, hours: int = 14 * 24) -> str:
        """A candidate."""
        version, artifact = made(asset_id, hours)
        card = ModelCard((Span(0, hours * HOUR),), 9, ("s",))
        kept = type(version)(version.id, asset_id, "", ("pca",), self.now, card, "", 0)
        return self.catalog.models.add(kept, artifact).id

    def crown(self, asset_id: str, hours: int = 14 * 24) -> str:
        return self.catalog.models.promote(self.keep(asset_id, hours), judged).id


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


def test_a_model_that_fits_no_more_is_replaced_when_that_has_stood_for_ten_minutes(site: Site) -> None:
    champions = {asset_id: site.crown(asset_id) for asset_id in ASSETS}
    assert site.look(HOUR) == []
    site.find({"p1": "model_signals_changed", "p2": "model_input_drift", "p3": "model_split"})
    assert site.look(9 * MINUTE) == []
    (job,) = site.look(MINUTE)
    assert assets([job]) == [["p1"]]
    assert (job.settings["promote"], job.settings["instead_of"]) == ("always", {"p1": champions["p1"]})
    site.done(job)
    assert site.look(HOUR) == []
    assert assets(site.look(DAY)) == [["p1"]]


@pytest.mark.parametrize("kind", ["unreadable", "unknown_key", "wrong_signature", "unusable", "failed", "thresholds"])
def test_what_a_new_model_would_not_mend_trains_nobody(site: Site, kind: str) -> None:
    site.crown("p1")
    site.find({"p1": f"model_{kind}"}, at=site.now + 1)
    assert site.look(HOUR) == []
    assert site.look(DAY) == []


@pytest.mark.parametrize("kind", ["truncated", "damaged", "poisoned", "signals_changed"])
def test_what_a_new_model_mends_trains(site: Site, kind: str) -> None:
    site.crown("p1")
    site.find({"p1": f"model_{kind}"}, at=site.now + 1)
    assert assets(site.look(HOUR)) == [["p1"]]


def test_a_champion_newer_than_the_refusal_is_not_replaced_at_once(site: Site) -> None:
    for asset_id in ("p1", "p2"):
        site.crown(asset_id)
    site.find(dict.fromkeys(("p1", "p2"), "model_damaged"), at=site.now + 1)
    site.now += HOUR
    site.crown("p1", 13 * 24)  # by hand; its gateway is away and says what it said
    (job,) = site.look(2 * DAY)
    assert assets([job]) == [["p1", "p2"]]
    instead_of = job.settings["instead_of"]
    assert isinstance(instead_of, dict)
    assert list(instead_of) == ["p2"]


def test_of_many_that_are_refused_a_lot_at_a_time(site: Site) -> None:
    for asset_id in ASSETS:
        site.crown(asset_id)
    site.training.settings = replace(site.training.settings, lot=2)
    site.find(dict.fromkeys(ASSETS, "model_damaged"), at=site.now + 1)
    assert [len(job.items) for job in site.look(HOUR)] == [2]
    assert [len(job.items) for job in site.look(MINUTE)] == [1]
    assert site.look(MINUTE) == []


def test_a_rollout_of_what_does_not_fit_ends_before_its_machine_is_learned(site: Site) -> None:
    models = site.catalog.models
    for asset_id in ("p1", "p2"):
        site.crown(asset_id)
        models.start(Rollout(asset_id, {asset_id: site.keep(asset_id, 13 * 24)}, 1, since=1), judged(None, None))
    site.find({"p1": "model_signals_changed", "p2": "model_damaged"}, at=site.now + 1)
    assert site.look(9 * MINUTE) == []
    assert models.rollout("p1").state is ModelState.CANDIDATE
    assert assets(site.look(2 * MINUTE)) == [["p1"]]
    ended = models.rollout("p1")
    assert (ended.state, ended.reason) == (ModelState.ROLLED_BACK, RollbackReason.MISFIT)
    assert models.rollout("p2").state is ModelState.CANDIDATE


def test_a_rollout_of_what_was_learned_since_goes_on(site: Site) -> None:
    site.crown("p1")
    site.find({"p1": "model_signals_changed"})
    site.now += MINUTE
    new = site.keep("p1", 13 * 24)
    site.catalog.models.start(Rollout("r", {"p1": new}, 1, since=1), judged(None, None))
    assert site.look(2 * DAY) == []
    assert site.catalog.models.rollout("r").state is ModelState.CANDIDATE


def test_whose_first_model_met_a_conflict_is_learned_anew_though_nothing_else_is(site: Site) -> None:
    site.training.settings = replace(site.training.settings, every_us=0)
    site.past = {"p1", "p2"}
    (job,) = site.look()
    p1, p2 = site.keep("p1"), site.keep("p2")
    site.done(job, items=[JobItem("p1", ItemState.FAILED, "", p1), JobItem("p2", ItemState.DONE, "", p2)])
    site.past = set(ASSETS)
    site.keep("p3")  # by a person, who said that it is not to act
    assert assets(site.look(MINUTE)) == []
    assert assets(site.look(HOUR)) == [["p1"]]


def test_what_was_learned_of_little_is_learned_anew_when_there_is_twice_as_much(site: Site) -> None:
    site.crown("p1", hours=24)
    site.crown("p2")
    assert site.look(DAY - 1) == []
    (job,) = site.look(1)
    assert assets([job]) == [["p1"]]
    assert job.settings["promote"] == "first"


def test_what_was_learned_in_a_hurry_is_replaced_when_the_past_suffices(site: Site) -> None:
    champion = site.crown("p1", hours=2)
    assert site.look(HOUR) == []
    site.past = {"p1"}
    (job,) = site.look(HOUR)
    assert assets([job]) == [["p1"]]
    assert (job.settings["promote"], job.settings["instead_of"]) == ("always", {"p1": champion})


def test_what_a_person_learned_of_little_beside_a_whole_champion_is_no_reason(site: Site) -> None:
    site.past = {"p1"}
    site.crown("p1")
    site.now += DAY
    site.keep("p1", hours=12)
    assert site.look(2 * HOUR) == []
