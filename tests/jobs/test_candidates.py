"""What was trained is rolled out by itself: a job's machines of one template together, and what is weak never."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.jobs import ItemState, JobItem
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion
from forewarn.domain.rollouts import RollbackReason, Rollout
from forewarn.jobs.candidates import Candidates
from forewarn.jobs.known_models import KnownModels
from forewarn.jobs.training.run import training_job
from forewarn.policies.model_artifact import pack
from forewarn.policies.model_signature import content_id, sign
from forewarn.policies.rollout import begin, roll_back
from tests.catalog.plants import plant
from tests.catalog.test_models import SITE

DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")
CARD = ModelCard((), 9, ("s",), {"held_back_rows": 900.0, "alarms_per_week": 1.0})
LOUD = replace(CARD, metrics={**CARD.metrics, "alarms_per_week": 7.0})
TEMPLATES = {"p1": "pump", "p2": "pump", "p3": "fan"}


class Site:
    """A catalog in which machines are trained, without the training."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self._count, self.now = catalog, 0, 1_000
        self.restart()

    def restart(self) -> None:
        known = KnownModels(self.catalog.models, lambda: self.catalog.revisions.read().get("models", 0))
        self.candidates = Candidates(self.catalog.models, self.catalog.jobs, known, 1.0, lambda: self.now)

    def add(self, asset: str, card: ModelCard = CARD, content: int | None = None) -> str:
        self._count += 1
        payload = pack({"asset": asset, "number": self._count if content is None else content}, {})
        version = ModelVersion(content_id(payload), asset, TEMPLATES[asset], ("pca",), self._count, card, "", 0)
        return self.catalog.models.add(version, sign(payload, SITE)).id

    def crown(self, *assets: str) -> None:
        for asset in assets:
            self.catalog.models.promote(self.add(asset), lambda _was, _is: DEED)

    def trained(self, cards: Mapping[str, ModelCard], promote: str = "first", by: str = OWN) -> dict[str, str]:
        """By a job that has ended."""
        jobs, job = self.catalog.jobs, training_job(list(cards), by, self._count, 14.0, promote)
        jobs.add(job)
        jobs.claim("train", "here", 1 << 60, job.id)
        found = {asset: self.add(asset, card) for asset, card in cards.items()}
        for asset, version in found.items():
            assert not self.candidates.look()  # the job is under way
            jobs.told(job.id, "here", JobItem(asset, ItemState.DONE, "", version))
        jobs.finish(job.id, "here")
        return found

    def open_rollouts(self) -> list[dict[str, str]]:
        return sorted((dict(r.versions) for r in self.catalog.models.rollouts()), key=str)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url, lambda: 1_000, Seal(b"0" * 32), tmp_path / "models") as catalog:
        catalog.plant.apply(plant(*TEMPLATES), ())
        made = Site(catalog)
        made.crown(*TEMPLATES)
        yield made


def test_machines_of_a_job_and_template_go_together_once(site: Site) -> None:
    new = site.trained(dict.fromkeys(TEMPLATES, CARD))
    begun = site.candidates.look()
    assert {tuple(sorted(r.versions)) for r in begun} == {("p1", "p2"), ("p3",)}
    assert {v for r in begun for v in r.versions.values()} == set(new.values())
    assert all(r.share == 0.1 for r in begun)
    site.restart()
    assert site.candidates.look() == []
    deeds = site.catalog.audit.find(AuditQuery(limit=2))
    assert {entry.deed.actor for entry in deeds} == {OWN}


def test_a_weaker_one_stays_a_candidate_and_says_why(site: Site) -> None:
    new = site.trained({"p1": LOUD, "p2": CARD})
    assert [dict(r.versions) for r in site.candidates.look()] == [{"p2": new["p2"]}]
    aside = site.catalog.models.get(new["p1"])
    assert aside.state is ModelState.CANDIDATE
    assert aside.reason == "not rolled out: 7.0 false alarms a week are to be expected of it, where 1 are the budget"
    entries = len(site.catalog.audit.find(AuditQuery()))
    site.restart()
    assert site.candidates.look() == []
    assert len(site.catalog.audit.find(AuditQuery())) == entries
    newer = site.trained({"p1": CARD})
    assert [dict(r.versions) for r in site.candidates.look()] == [newer]


def test_what_was_rolled_back_waits_for_a_newer_training(site: Site) -> None:
    site.trained({"p1": CARD})
    (rollout,) = site.candidates.look()
    change = site.catalog.models.change_rollout
    change(rollout.id, lambda r: begin(r, 5), lambda _a, _b: DEED)
    assert site.candidates.look() == []
    change(rollout.id, lambda r: roll_back(r, RollbackReason.SILENT, "", 6), lambda _a, _b: DEED)
    assert site.candidates.look() == []
    newer = site.trained({"p1": CARD})
    assert [dict(r.versions) for r in site.candidates.look()] == [newer]


def test_what_a_person_keeps_back_and_what_no_job_made_is_left_to_people(site: Site) -> None:
    site.trained({"p1": CARD}, promote="never", by="anna")
    site.add("p2")
    assert site.candidates.look() == []
    by_hand = site.trained({"p2": CARD}, by="anna")
    assert [dict(r.versions) for r in site.candidates.look()] == [by_hand]


def test_the_first_of_a_machine_needs_no_rollout_and_the_champion_anew_neither(site: Site) -> None:
    site.catalog.models.demote(site.catalog.models.champions()["p1"].id, "too loud", lambda _was, _is: DEED)
    site.trained({"p1": CARD})
    champion = site.catalog.models.champions()["p2"]
    job = training_job(["p2"], OWN, 1, 14.0)
    site.catalog.jobs.add(job)
    site.catalog.jobs.claim("train", "here", 1 << 60, job.id)
    site.catalog.jobs.told(job.id, "here", JobItem("p2", ItemState.DONE, "the same", champion.id))
    site.catalog.jobs.finish(job.id, "here")
    assert site.candidates.look() == []


def test_a_machine_in_a_rollout_by_hand_waits_for_its_end(site: Site) -> None:
    mine = site.add("p1")
    site.catalog.models.start(Rollout("by-hand", {"p1": mine}, 1, since=1), DEED)
    new = site.trained({"p1": CARD, "p2": CARD})
    assert [set(r.versions) for r in site.candidates.look()] == [{"p2"}]
    change = site.catalog.models.change_rollout
    change("by-hand", lambda r: roll_back(r, RollbackReason.BY_HAND, "", 6), lambda _a, _b: DEED)
    assert [dict(r.versions) for r in site.candidates.look()] == [{"p1": new["p1"]}]
