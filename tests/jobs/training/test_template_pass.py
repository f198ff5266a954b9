"""What machines of a template share is learned once, outlives a kill, and each machine is calibrated for itself."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Catalog
from forewarn.domain.assets import Plant, Signal
from forewarn.domain.jobs import ItemState, Job, JobState
from forewarn.domain.model_versions import ModelCard
from forewarn.jobs.training.kept_parts import KeptParts
from forewarn.jobs.training.run import TrainingRuns, training_job
from forewarn.jobs.training.template import evenly, form_of, in_order
from forewarn.jobs.training.template_pass import Phase
from forewarn.jobs.training.workers import Workers
from forewarn.learning.machine_artifact import unpacked
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.model_signature import open_signed
from tests.jobs.training.a_past import fill
from tests.jobs.training.run_here import END, SHARING, SITE, runs

MACHINES = ("p1", "p2", "p3")
ROOT = Path(__file__).parents[3]
NETWORK = ("encoder_input", "decoder_state", "dense", "dense_bias")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    fill(tmp_path, *MACHINES, hours=2)
    return tmp_path


def a_job(*assets: str) -> Job:
    return training_job(assets or MACHINES, "anna", END, 14.0)


def done(here: TrainingRuns, job: Job) -> tuple[Job, list[Phase]]:
    phases: list[Phase] = []
    ended = here.run(job.id, told=phases.append)
    while ended is None:  # the lease of one that was killed
        time.sleep(0.1)
        ended = here.run(job.id, told=phases.append)
    assert ended.state is JobState.DONE
    return ended, phases


def model(catalog: Catalog, version: str) -> tuple[MachineModel, ModelCard]:
    payload = open_signed(catalog.models.artifact(version), {SITE.public_key})
    return unpacked(payload, version), catalog.models.get(version).card


def test_one_network_and_each_machines_own_range_threshold_and_card(directory: Path) -> None:
    with runs(directory, "a", Workers(), SHARING) as (catalog, here):
        ended, phases = done(here, catalog.jobs.add(a_job()))
        found = {item.asset_id: model(catalog, item.result) for item in ended.items}
        ensembles = [m.ensembles[0] for m, _ in found.values()]
        assert [p.words for p in phases if p.template] == [
            *(f"centrifugal_pump: machines read, {n} of 3" for n in (1, 2, 3)),
            *(f"centrifugal_pump: networks, {n} of 4" for n in range(5)),
        ]
        first, second, third = (e.members[1].parameters for e in ensembles if e is not None)
        for name in NETWORK:
            np.testing.assert_array_equal(first[name], second[name])
            np.testing.assert_array_equal(first[name], third[name])
        assert not np.array_equal(first["low"], second["low"])
        assert len({(e.threshold, e.members[1].healthy) for e in ensembles if e is not None}) == 3
        for _, card in found.values():
            assert card.shared is not None
            assert (card.shared.template, card.shared.detectors) == ("centrifugal_pump", ("lstm_autoencoder",))
            assert (card.shared.machines, card.shared.spans) == (3, 3)
            assert card.shared.rows == sum(other.rows for _, other in found.values())
        assert not (directory / "training" / ended.id).exists(), "a job that has ended keeps nothing"

        again, _ = done(here, catalog.jobs.add(a_job(*reversed(MACHINES))))
        assert {item.text[:17] for item in again.items} == {"the same as model"}, "their order changes nothing"


def test_a_machine_by_itself_and_one_with_other_signals_are_learned_alone(tmp_path: Path) -> None:
    view = fill(tmp_path, *MACHINES, hours=2)
    with runs(tmp_path, "a", Workers(), SHARING) as (catalog, here):
        alone, phases = done(here, catalog.jobs.add(a_job("p1")))
        assert [p.words for p in phases] == [""]
        assert model(catalog, alone.items[0].result)[1].shared is None

        odd = [replace(s, kind="level") if s.id == "p3.flow" else s for a in MACHINES for s in view.signals_of(a)]
        catalog.plant.apply(Plant(tuple(view.assets.values()), tuple(odd)), ())
        assert isinstance(here.trainer._plant, CatalogPlantView)
        here.trainer._plant.refresh()
        ended, _ = done(here, catalog.jobs.add(a_job()))
        shared = [model(catalog, item.result)[1].shared for item in ended.items]
        assert [None if s is None else s.machines for s in shared] == [2, 2, None]


def test_columns_are_matched_by_kind_and_by_name_where_there_are_several(tmp_path: Path) -> None:
    def signals(*told: tuple[str, str]) -> list[Signal]:
        return [Signal(f"m.{i}", "m", name, kind, "u") for i, (name, kind) in enumerate(told)]

    ours = form_of("pump", signals(("Outlet", "temperature"), ("Flow", "flow"), ("inlet", "temperature")))
    assert ours == form_of("pump", signals(("m3/h", "flow"), ("Inlet", "temperature"), ("outlet", "temperature")))
    assert ours != form_of("pump", signals(("Flow", "flow"), ("bearing", "temperature"), ("outlet", "temperature")))
    assert ours != form_of("fan", signals(("Outlet", "temperature"), ("Flow", "flow"), ("inlet", "temperature")))
    assert form_of("pump", signals(("flow", "flow"), ("Flow", "flow"))) is None
    assert form_of("", signals(("flow", "flow"))) is None
    slow = [replace(s, rate_hz=0.1) for s in signals(("Flow", "flow"))]
    assert form_of("pump", slow) != form_of("pump", signals(("Flow", "flow")))

    fill(tmp_path, "p1", hours=1)
    with runs(tmp_path, "a") as (_, here):
        lesson = here.trainer.lesson("p1", END)
    ordered = in_order(lesson)
    assert [s.kind for s in ordered.signals] == ["flow", "pressure", "speed", "temperature"]
    for column, signal in enumerate(ordered.signals):
        was = lesson.signals.index(signal)
        np.testing.assert_array_equal(ordered.healthy[:, column], lesson.healthy[:, was])
        np.testing.assert_array_equal(ordered.held_back[:, column], lesson.held_back[:, was])


def test_of_many_machines_some_are_taken_evenly_whatever_their_order() -> None:
    many = [f"p{i:03}" for i in range(200)]
    some = evenly(many[::-1], 64)
    assert some == evenly(many, 64)
    assert len(set(some)) == 64
    gaps = np.diff([many.index(name) for name in some])
    assert set(gaps.tolist()) <= {3, 4}
    assert evenly(["b", "a"], 64) == ["a", "b"]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_among_the_networks_it_goes_on_with_those_that_are_left(directory: Path, workers: int) -> None:
    with runs(directory, "b", Workers(), SHARING) as (catalog, here):
        job = catalog.jobs.add(a_job())
        killed_at(directory, job, workers, "phase centrifugal_pump:_networks,_2_of_4")
        kept = [path for path in (directory / "training" / job.id).iterdir() if path.suffix != ".half"]
        assert len(kept) >= 2
        _, phases = done(here, job)
        networks = [p.done for p in phases if p.what == "networks"]
        assert networks == list(range(len(kept), 5)), "none is learned twice"
        whole, _ = done(here, catalog.jobs.add(a_job()))
        assert {item.text[:17] for item in whole.items} == {"the same as model"}, "as if nobody had been killed"


def test_killed_among_the_machines_no_network_is_learned_again(directory: Path) -> None:
    with runs(directory, "b", Workers(), SHARING) as (catalog, here):
        job = catalog.jobs.add(a_job())
        killed_at(directory, job, 1, "p1 done")
        before = catalog.jobs.get(job.id)
        ended, phases = done(here, job)
        assert [p.what for p in phases] == ["machines"]
        assert before.items[0] == ended.items[0]
        assert [item.state for item in ended.items] == [ItemState.DONE] * 3
        shared = [model(catalog, item.result)[1].shared for item in ended.items]
        assert shared[0] == shared[1] == shared[2] is not None
        assert not (directory / "training" / job.id).exists()


def killed_at(directory: Path, job: Job, workers: int, line: str) -> None:
    command = [sys.executable, "-m", "tests.jobs.training.run_here", str(directory), job.id, str(workers), "shared"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True)
    assert process.stdout is not None
    seen = []
    for told in process.stdout:
        seen.append(told.strip())
        if told.strip() == line:
            break
    os.killpg(process.pid, 9)  # its workers with it
    process.wait()
    process.stdout.close()
    assert line in seen, seen


def test_what_is_kept_is_whole_or_not_there(tmp_path: Path) -> None:
    parts = KeptParts(tmp_path / "training")
    weights: dict[str, NDArray[Any]] = {
        "dense": np.arange(6, dtype=np.int8).reshape(2, 3),
        "bias": np.ones(3, np.float32),
    }
    assert parts.get("job", "key") is None
    parts.put("job", "key", {"machines": 3}, weights)
    found = parts.get("job", "key")
    assert found is not None
    assert found[0] == {"machines": 3}
    np.testing.assert_array_equal(found[1]["dense"], weights["dense"])
    path = tmp_path / "training" / "job" / "key"
    whole = path.read_bytes()
    for cut in (0, 10, 40, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert parts.get("job", "key") is None
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert parts.get("job", "key") is None
    parts.put("other", "key", {}, weights)
    parts.drop(lambda job: job == "job")
    assert [folder.name for folder in (tmp_path / "training").iterdir()] == ["other"]


def test_where_the_network_cannot_be_learned_each_machine_says_why(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    with runs(directory, "a", Workers(), SHARING) as (catalog, here):
        job = catalog.jobs.add(a_job())
        ended, _ = done(here, job)
        assert {item.state for item in ended.items} == {ItemState.FAILED}
        assert all("pip install forewarn[train]" in item.text for item in ended.items)
