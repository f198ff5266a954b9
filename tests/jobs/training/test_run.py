"""Training survives whatever stops it, and no machine is trained twice."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.domain.jobs import ItemState, Job, JobItem, JobState
from forewarn.domain.model_versions import ModelState
from forewarn.jobs.training.run import training_job
from forewarn.jobs.training.workers import Outcome, Workers, learn_all
from forewarn.learning.machine_artifact import unpacked
from forewarn.policies.model_signature import open_signed
from tests.jobs.training.a_past import fill
from tests.jobs.training.run_here import END, SITE, runs
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
