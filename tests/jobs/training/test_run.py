"""Training survives whatever stops it, and no machine is trained twice."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest

from forewarn.contracts.audit_log import AuditQuery
from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import ConfigurationError, InvalidInput, StorageFailed
from forewarn.domain.jobs import ItemState, Job, JobItem, JobState
from forewarn.domain.model_versions import ModelState
from forewarn.jobs.training.lesson import Lesson, TrainingSettings
from forewarn.jobs.training.run import INSTEAD_OF, training_job
from forewarn.jobs.training.train import Trainer
from forewarn.jobs.training.workers import Outcome, Workers, learn_all
from forewarn.kit.clock import HOUR
from forewarn.learning.machine_artifact import unpacked
from forewarn.plugins.historians.parquet.sorted_file import SegmentDamaged
from forewarn.policies.model_signature import open_signed
from tests.jobs.training.a_past import fill
from tests.jobs.training.run_here import END, SHARING, SITE, runs
from tests.learning.test_fleet import DETECTORS

MACHINES = ("p1", "p2", "p3", "p4")
ROOT = Path(__file__).parents[3]
DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "job")


def a_job(*assets: str, promote: str = "first") -> Job:
    return training_job(assets or MACHINES, "anna", END, 14.0, promote)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    fill(tmp_path, *MACHINES, hours=2)
    return tmp_path


def test_every_machine_gets_its_champion_and_the_next_model_is_a_candidate(directory: Path) -> None:
    with runs(directory, "a", Workers(2)) as (catalog, here):
        job = catalog.jobs.add(a_job("p1", "p2"))
        told: list[JobItem] = []
        done = here.run(job.id, told.append)
        assert done is not None
        assert (done.state, done.done) == (JobState.DONE, 2)
        assert sorted(told, key=lambda item: item.asset_id) == list(done.items)
        champions = catalog.models.champions()
        assert {a: v.id for a, v in champions.items()} == {item.asset_id: item.result for item in done.items}
        payload = open_signed(catalog.models.artifact(champions["p1"].id), {SITE.public_key})
        assert unpacked(payload, "v").signals == champions["p1"].card.signals
        assert len(catalog.audit.find(AuditQuery(actions=(AuditAction.MODEL_CHANGED,)))) == 4

        again = here.run(catalog.jobs.add(a_job("p1")).id)
        assert again is not None
        assert again.items[0].text.startswith("the same as model")
        other = training_job(["p1"], "anna", END, 14.0, end=END - 2 * 3_600_000_000)
        beside = here.run(catalog.jobs.add(other).id)
        assert beside is not None
        assert beside.items[0].text == f"candidate beside champion {champions['p1'].id[:12]}"
        assert catalog.models.get(beside.items[0].result).state is ModelState.CANDIDATE
        assert here.run() is None


def test_too_little_data_is_an_outcome_and_the_others_go_on(directory: Path) -> None:
    with runs(directory, "a") as (catalog, here):
        job = catalog.jobs.add(training_job(["p1", "p2"], "anna", END, 14.0, "never", end=END - 3_000_000_000))
        early = catalog.jobs.add(training_job(["p3"], "anna", END + 1, 0.01, "never"))
        first, second = here.run(job.id), here.run(early.id)
        assert first is not None
        assert second is not None
        assert [item.text for item in first.items] == ["candidate", "candidate"]
        assert second.items[0].state is ItemState.NOT_ENOUGH
        assert "minutes of health are the least" in second.items[0].text
        assert catalog.models.champions() == {}


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_in_the_middle_another_goes_on_and_trains_none_twice(directory: Path, workers: int) -> None:
    with runs(directory, "b") as (catalog, here):
        job = catalog.jobs.add(a_job())
        command = [sys.executable, "-m", "tests.jobs.training.run_here", str(directory), job.id, str(workers)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True)
        assert process.stdout is not None
        first = next(line.split() for line in process.stdout if not line.startswith("phase"))
        os.killpg(process.pid, 9)  # its workers with it
        process.wait()
        process.stdout.close()
        assert first[1] == "done"
        assert here.run(job.id) is None, "the dead one's lease still holds"
        before = {item.asset_id: item for item in catalog.jobs.get(job.id).items}
        told: list[str] = []
        done = None
        while done is None:
            time.sleep(0.1)
            done = here.run(job.id, lambda item: told.append(item.asset_id))
        assert (done.state, done.done) == (JobState.DONE, 4)
        kept = [a for a, item in before.items() if item.state is ItemState.DONE]
        assert first[0] in kept
        assert not set(kept) & set(told)
        assert [item for item in done.items if item.asset_id in kept] == [before[a] for a in kept]
        assert set(catalog.models.champions()) == set(MACHINES)
        assert len(catalog.models.find()) == 4, "one version a machine"


def test_cancelled_it_stops_and_what_was_learned_stays(directory: Path) -> None:
    with runs(directory, "a") as (catalog, here):
        job = catalog.jobs.add(a_job())
        done = here.run(job.id, lambda item: catalog.jobs.cancel(job.id, DEED) and None)
        assert done is not None
        assert (done.state, done.done) == (JobState.CANCELLED, 1)
        assert set(catalog.models.champions()) == {"p1", "p2"}, "the second was kept, then nobody wanted to know"


def test_stopped_it_is_free_for_the_next_at_once(directory: Path) -> None:
    stop = threading.Event()
    with runs(directory, "a") as (catalog, here):
        job = catalog.jobs.add(a_job())
        left = here.run(job.id, lambda item: stop.set(), stop)
        assert left is not None
        assert left.state is JobState.RUNNING
        assert 1 <= left.done < 4
        done = here.run(job.id)
        assert done is not None
        assert (done.state, done.done) == (JobState.DONE, 4)


def test_a_worker_that_dies_takes_only_its_own_machines_along(directory: Path) -> None:
    class Deadly:
        name = "robust_z"
        context, least_rows = 0, 1

        def fit(self, healthy: object, seed: int = 0) -> object:
            os.kill(os.getpid(), 9)

    with runs(directory, "a", Workers(2)) as (catalog, here):
        here.trainer.detectors = {"robust_z": Deadly()}  # type: ignore[dict-item]
        done = here.run(catalog.jobs.add(a_job("p1", "p2")).id)
        assert done is not None
        assert [item.state for item in done.items] == [ItemState.FAILED] * 2
        assert "lack of memory" in done.items[0].text


def test_an_executor_that_is_not_there_is_named_with_what_to_do() -> None:
    some = [Outcome("p1")]
    with pytest.raises(ConfigurationError, match=r"pip install ray"):
        list(learn_all(some, DETECTORS, Workers(1, "ray")))
    with pytest.raises(ConfigurationError, match=r"there is no executor 'spark'; there are: local, ray, dask"):
        list(learn_all(some, DETECTORS, Workers(1, "spark")))
    assert list(learn_all(some, DETECTORS, Workers(1))) == some


def test_a_job_of_nonsense_is_refused() -> None:
    with pytest.raises(InvalidInput, match="promote is one of first"):
        a_job(promote="perhaps")
    with pytest.raises(InvalidInput, match="days must be above 0"):
        training_job(["p1"], "anna", 0, 0.0)


def test_a_champion_that_came_meanwhile_is_not_replaced_at_once(directory: Path) -> None:
    with runs(directory, "a") as (catalog, here):
        here.run(catalog.jobs.add(a_job("p1", "p2")).id)
        before = {asset_id: version.id for asset_id, version in catalog.models.champions().items()}
        job = training_job(["p1", "p2"], "forewarn", END, 14.0, "always", end=END - 2 * HOUR)
        job = replace(job, settings={**job.settings, INSTEAD_OF: {"p1": before["p1"], "p2": "another"}})
        done = here.run(catalog.jobs.add(job).id)
        assert done is not None
        assert [item.text for item in done.items] == [
            f"champion in place of {before['p1'][:12]}",
            f"candidate beside champion {before['p2'][:12]}",
        ]


def test_one_that_was_taken_back_meanwhile_is_not_followed_at_once(directory: Path) -> None:
    with runs(directory, "a") as (catalog, here):
        here.run(catalog.jobs.add(a_job("p1")).id)
        champion = catalog.models.champions()["p1"].id
        catalog.models.demote(champion, "too loud", lambda _was, _is: DEED)
        job = training_job(["p1", "p2"], "forewarn", END, 14.0, "always", end=END - 2 * HOUR)
        done = here.run(catalog.jobs.add(replace(job, settings={**job.settings, INSTEAD_OF: {"p1": champion}})).id)
        assert done is not None
        assert [item.text for item in done.items] == ["candidate", "champion: the first of this machine"]


def test_crowned_is_not_who_lost_the_race_to_another(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with runs(directory, "a") as (catalog, here):
        here.run(catalog.jobs.add(a_job("p1")).id)
        champion = catalog.models.champions()["p1"].id
        job = catalog.jobs.add(training_job(["p1"], "forewarn", END, 14.0, end=END - 2 * HOUR))
        monkeypatch.setattr(type(catalog.models), "champions", lambda _self: {})  # read before the other was crowned
        done = here.run(job.id)
        monkeypatch.undo()
        assert done is not None
        assert done.items[0].state is ItemState.FAILED
        assert "another champion meanwhile" in done.items[0].text
        assert catalog.models.get(done.items[0].result).state is ModelState.CANDIDATE
        assert catalog.models.champions()["p1"].id == champion


class Broken(Trainer):
    """p2's past cannot be read."""

    error: Exception

    def lesson(self, asset_id: str, end: int | None = None, settings: TrainingSettings | None = None) -> Lesson:
        if asset_id == "p2":
            raise self.error
        return super().lesson(asset_id, end, settings)


def broken(trainer: Trainer, error: Exception) -> Trainer:
    made = copy(trainer)
    made.__class__ = Broken
    assert isinstance(made, Broken)
    made.error = error
    return made


@pytest.mark.parametrize("detectors", [DETECTORS, SHARING], ids=["alone", "shared"])
def test_a_machine_whose_past_is_damaged_fails_and_the_others_go_on(
    directory: Path, detectors: Mapping[str, TrainedDetector]
) -> None:
    with runs(directory, "a", detectors=detectors) as (catalog, here):
        error = SegmentDamaged(directory / "x.parquet", "its footer fails the checksum")
        done = replace(here, trainer=broken(here.trainer, error)).run(catalog.jobs.add(a_job("p1", "p2", "p3")).id)
        assert done is not None
        assert [item.state for item in done.items] == [ItemState.DONE, ItemState.FAILED, ItemState.DONE]
        assert "x.parquet is damaged" in done.items[1].text
        assert here.run() is None


@pytest.mark.parametrize("detectors", [DETECTORS, SHARING], ids=["alone", "shared"])
def test_a_fault_of_ours_in_one_machine_s_past_holds_up_no_other(
    directory: Path, detectors: Mapping[str, TrainedDetector]
) -> None:
    with runs(directory, "a", detectors=detectors) as (catalog, here):
        error = ValueError("need at least one array to concatenate")
        done = replace(here, trainer=broken(here.trainer, error)).run(catalog.jobs.add(a_job("p1", "p2", "p3")).id)
        assert done is not None
        assert [item.state for item in done.items] == [ItemState.DONE, ItemState.FAILED, ItemState.DONE]
        assert "need at least one array" in done.items[1].text
        assert here.run() is None


def test_a_job_whose_disk_fails_lets_others_go_first_and_goes_on_later(directory: Path) -> None:
    with runs(directory, "a") as (catalog, here):
        first = catalog.jobs.add(a_job("p2", "p1"))
        second = catalog.jobs.add(training_job(["p3"], "anna", END + 1, 14.0, end=END))
        failing = replace(here, trainer=broken(here.trainer, StorageFailed("it is away")), rest_s=3.0)
        with pytest.raises(StorageFailed, match="it is away"):
            failing.run()
        assert catalog.jobs.get(first.id).ended_at is None
        done = failing.run()
        assert done is not None
        assert (done.id, done.state) == (second.id, JobState.DONE)
        again = None
        while again is None:
            time.sleep(0.1)
            again = here.run()
        assert (again.id, again.state) == (first.id, JobState.DONE)
        assert [item.state for item in again.items] == [ItemState.DONE] * 2
