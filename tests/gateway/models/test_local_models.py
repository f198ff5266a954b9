"""Models on a gateway's disk: a kill at any step leaves the old ones or the new ones; what is no good is never used."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forewarn.domain.errors import StorageFailed
from forewarn.domain.model_delivery import Side, Trial, WantedModels
from forewarn.domain.model_versions import ArtifactFault
from forewarn.gateway.models.folder import PLAN, ModelFolder, Plan
from forewarn.gateway.models.local_models import LocalModels
from forewarn.policies.model_artifact import MOST_BYTES, pack
from forewarn.policies.model_delivery import assets_by_version, thresholds_name
from forewarn.policies.model_signature import HEAD, content_id, sign
from tests.trained import DETECTORS, SITE, STRANGER, learned, nervous, signed

OLD, NEW = (signed(learned("p1", seed)) for seed in (0, 1))
OTHER = signed(learned("p2"))
ARTIFACTS = dict((OLD, NEW, OTHER))


def opened(directory: Path) -> LocalModels:
    return LocalModels(ModelFolder(directory), DETECTORS, lambda: {SITE.public_key})


def bring(models: LocalModels, wanted: WantedModels, artifacts: Mapping[str, bytes] = ARTIFACTS) -> None:
    """As the courier does."""
    models.withdraw(wanted.withdrawn)
    for version in models.lacks(wanted):
        if version in artifacts:
            models.fetched(version, assets_by_version(wanted)[version], artifacts[version])
    models.take(wanted)


def acting(models: LocalModels) -> dict[str, str]:
    return {model.asset_id: model.version for model in models.acting.models()}


def files(directory: Path) -> set[str]:
    return {path.name for path in (directory / "models").iterdir()}


def test_what_was_fetched_is_used_also_without_the_site(tmp_path: Path) -> None:
    bring(opened(tmp_path), WantedModels("r1", {"p1": OLD[0], "p2": OTHER[0]}))
    again = opened(tmp_path)
    assert acting(again) == {"p1": OLD[0], "p2": OTHER[0]}
    assert again.wanted.revision == "r1"
    revision = again.acting.revision
    again.take(again.wanted)
    assert again.acting.revision == revision  # windows are not begun anew for nothing
    bring(again, WantedModels("r2", {"p1": NEW[0]}))
    assert acting(again) == {"p1": NEW[0]}
    assert files(tmp_path) == {NEW[0], PLAN}


def thresholds(models: LocalModels) -> dict[str, list[float]]:
    return {m.asset_id: [e.threshold for e in m.ensembles if e is not None] for m in models.acting.models()}


def test_thresholds_that_people_moved_are_used_also_without_the_site(tmp_path: Path) -> None:
    bring(opened(tmp_path), WantedModels("r1", {"p1": OLD[0], "p2": OTHER[0]}))
    models = opened(tmp_path)
    learned_ = thresholds(models)
    other = next(m for m in models.acting.models() if m.asset_id == "p2")
    wanted = WantedModels("r2", {"p1": OLD[0], "p2": OTHER[0]}, thresholds={OLD[0]: (2.5,)})
    before = models.held
    bring(models, wanted)
    assert thresholds(models) == {"p1": [2.5], "p2": learned_["p2"]}
    assert next(m for m in models.acting.models() if m.asset_id == "p2") is other
    assert (before.thresholds, models.held.thresholds) == ("", thresholds_name(wanted.thresholds))
    revision, model = models.acting.revision, models.acting.models()[0]
    bring(models, replace(wanted, revision="r3"))
    assert models.acting.revision == revision  # windows are not begun anew for nothing
    assert models.acting.models()[0] is model
    again = opened(tmp_path)
    assert thresholds(again) == {"p1": [2.5], "p2": learned_["p2"]}
    assert again.held.thresholds == models.held.thresholds
    bring(again, WantedModels("r4", {"p1": OLD[0], "p2": OTHER[0]}))
    assert thresholds(again) == learned_


def test_the_model_before_keeps_its_moved_threshold_where_its_successor_is_no_good(tmp_path: Path) -> None:
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": OLD[0]}, thresholds={OLD[0]: (2.5,)}))
    bring(models, WantedModels("r2", {"p1": NEW[0]}, thresholds={NEW[0]: (3.5,)}), {NEW[0]: NEW[1][:100]})
    assert (acting(models), thresholds(models)) == ({"p1": OLD[0]}, {"p1": [2.5]})
    again = opened(tmp_path)
    assert (acting(again), thresholds(again)) == ({"p1": OLD[0]}, {"p1": [2.5]})
    bring(again, WantedModels("r2", {"p1": NEW[0]}, thresholds={NEW[0]: (3.5,)}))
    assert (acting(again), thresholds(again)) == ({"p1": NEW[0]}, {"p1": [3.5]})
    assert OLD[0] not in (tmp_path / "models" / PLAN).read_text()


@pytest.mark.parametrize("told", [(0.0,), (-1.5,), (1e9,), (float("inf"),), (2.5, 2.5), ()])
def test_a_threshold_that_is_none_is_refused_by_name_and_the_learned_one_goes_on(
    tmp_path: Path, told: tuple[float, ...]
) -> None:
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": OLD[0], "p2": OTHER[0]}))
    before = thresholds(models)
    bring(models, WantedModels("r2", {"p1": OLD[0], "p2": OTHER[0]}, thresholds={OLD[0]: told, OTHER[0]: (2.5,)}))
    assert thresholds(models) == {"p1": before["p1"], "p2": [2.5]}
    refusal = models.acting.refused()["p1"]
    assert refusal.kind == "thresholds"
    assert "threshold" in refusal.text
    assert OLD[0][:12] in refusal.text
    assert models.held.refused == {"p1": "thresholds"}
    assert models.held.thresholds == thresholds_name({OTHER[0]: (2.5,)})
    bring(models, WantedModels("r3", {"p1": OLD[0], "p2": OTHER[0]}, thresholds={OLD[0]: (2.5,)}))
    assert (thresholds(models)["p1"], models.acting.refused()) == ([2.5], {})


def test_both_sides_of_a_trial_are_tried_with_moved_thresholds(tmp_path: Path) -> None:
    trials = (Trial("roll", 5, "p1", NEW[0], OLD[0]),)
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": OLD[0]}, trials, thresholds={OLD[0]: (2.5,), NEW[0]: (2.25,)}))
    (trial,) = models.tried.trials()
    told = {side: [e.threshold for e in one.models[0].ensembles if e] for side, one in trial.sides.items()}
    assert told == {Side.CHALLENGER: [2.25], Side.CHAMPION: [2.5]}


def test_an_old_plan_without_thresholds_and_one_of_a_later_version_are_read(tmp_path: Path) -> None:
    bring(opened(tmp_path), WantedModels("r1", {"p1": OLD[0]}, thresholds={OLD[0]: (2.5,)}))
    path = tmp_path / "models" / PLAN
    plan = json.loads(path.read_text())
    path.write_text(json.dumps(plan | {"later": 1, "wanted": plan["wanted"] | {"later": {"x": 1}}}))
    assert thresholds(opened(tmp_path)) == {"p1": [2.5]}
    del plan["kept"], plan["wanted"]["thresholds"]
    path.write_text(json.dumps(plan))
    assert acting(opened(tmp_path)) == {"p1": OLD[0]}
    assert thresholds(opened(tmp_path)) != {"p1": [2.5]}


def kill_at(step: int) -> None:
    """SIGKILL before or after one of the calls that change something on a disk."""
    left = step

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **named)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counting

    os.fsync = counted(os.fsync)
    for name in ("open", "replace", "unlink"):
        setattr(Path, name, counted(getattr(Path, name)))


def follow_and_die(directory: Path, step: int) -> int:
    """In a process of its own; its wait status."""
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    try:
        kill_at(step)
        bring(opened(directory), WantedModels("r2", {"p1": NEW[0], "p2": OTHER[0]}, thresholds={NEW[0]: (3.5,)}))
    finally:
        os._exit(0)


def test_a_kill_at_any_step_leaves_the_old_models_or_the_new(tmp_path: Path) -> None:
    found, step, status = set(), 0, signal.SIGKILL
    while status:
        step += 1
        directory = tmp_path / str(step)
        directory.mkdir()
        bring(opened(directory), WantedModels("r1", {"p1": OLD[0]}, thresholds={OLD[0]: (2.5,)}))
        status = follow_and_die(directory, step)
        assert status in (0, signal.SIGKILL)
        after = opened(directory)
        state = tuple(sorted(acting(after).items()))
        assert state in ((("p1", OLD[0]),), (("p1", NEW[0]), ("p2", OTHER[0])))
        assert after.acting.refused() == {}
        assert thresholds(after)["p1"] == ([2.5] if len(state) == 1 else [3.5])
        found.add(state)
        bring(after, WantedModels("r2", {"p1": NEW[0], "p2": OTHER[0]}, thresholds={NEW[0]: (3.5,)}))
        assert files(directory) == {NEW[0], OTHER[0], PLAN}
    assert len(found) == 2
    assert step > 10


def poisoned() -> tuple[str, bytes]:
    payload = pack({"kind": "network"}, {"mean": np.zeros(1)})
    return content_id(payload), sign(payload, SITE)


def wrong_signature() -> bytes:
    whole = bytearray(NEW[1])
    whole[HEAD - 1] ^= 1
    return bytes(whole)


BAD = {
    ArtifactFault.TRUNCATED: (NEW[0], NEW[1][:-7]),
    ArtifactFault.DAMAGED: (NEW[0], NEW[1][:-1] + bytes([NEW[1][-1] ^ 1])),
    ArtifactFault.POISONED: poisoned(),
    ArtifactFault.TOO_LARGE: (NEW[0], NEW[1] + bytes(MOST_BYTES)),
    ArtifactFault.UNKNOWN_KEY: signed(learned("p1", 1), STRANGER),
    ArtifactFault.WRONG_SIGNATURE: (NEW[0], wrong_signature()),
}


@pytest.mark.parametrize("fault", ArtifactFault)
def test_a_model_that_is_no_good_is_named_and_the_one_before_goes_on(tmp_path: Path, fault: ArtifactFault) -> None:
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": OLD[0]}))
    version, bytes_ = BAD[fault]
    bring(models, WantedModels("r2", {"p1": version}), {version: bytes_})
    assert acting(models) == {"p1": OLD[0]}
    assert models.acting.refused()["p1"].kind == fault.value
    assert models.missing == {version}
    assert version not in files(tmp_path)
    assert acting(opened(tmp_path)) == {"p1": OLD[0]}


def test_the_good_one_that_comes_later_is_used(tmp_path: Path) -> None:
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": NEW[0]}), {NEW[0]: NEW[1][:100]})
    assert models.acting.refused()["p1"].kind == "truncated"
    bring(models, WantedModels("r1", {"p1": NEW[0]}))
    assert (acting(models), models.acting.refused(), models.missing) == ({"p1": NEW[0]}, {}, set())


@pytest.mark.parametrize("wrong", [signed(nervous(learned("p2")))[1], OLD[1]])
def test_a_signed_model_of_another_machine_or_version_is_refused(tmp_path: Path, wrong: bytes) -> None:
    version = signed(nervous(learned("p2")))[0] if wrong != OLD[1] else NEW[0]
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": version}), {version: wrong})
    assert acting(models) == {}
    assert "p1" in models.acting.refused()


def test_what_is_withdrawn_acts_no_more_though_its_successor_cannot_be_had(tmp_path: Path) -> None:
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": OLD[0]}))
    bring(models, WantedModels("r2", {"p1": NEW[0]}, withdrawn=(OLD[0],)), {})
    assert acting(models) == {}
    assert acting(opened(tmp_path)) == {}


def test_a_file_that_the_disk_changed_is_named_and_fetched_again(tmp_path: Path) -> None:
    bring(opened(tmp_path), WantedModels("r1", {"p1": OLD[0]}))
    path = tmp_path / "models" / OLD[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    models = opened(tmp_path)
    assert (acting(models), models.acting.refused()["p1"].kind) == ({}, "damaged")
    bring(models, WantedModels("r1", {"p1": OLD[0]}))
    assert (acting(models), models.acting.refused()) == ({"p1": OLD[0]}, {})


def test_both_sides_are_tried_on_the_same_machines(tmp_path: Path) -> None:
    trials = (Trial("roll", 5, "p1", NEW[0], OLD[0]), Trial("roll", 5, "p2", OTHER[0], None))
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": OLD[0]}, trials), {OLD[0]: OLD[1], NEW[0]: NEW[1][:9]})
    (trial,) = models.tried.trials()
    assert trial.sides[Side.CHALLENGER].models == trial.sides[Side.CHAMPION].models == ()
    assert trial.sides[Side.CHALLENGER].refused == {NEW[0]}
    bring(models, WantedModels("r1", {"p1": OLD[0]}, trials))
    (trial,) = models.tried.trials()
    assert {m.version for m in trial.sides[Side.CHALLENGER].models} == {NEW[0], OTHER[0]}
    assert {m.version for m in trial.sides[Side.CHAMPION].models} == {OLD[0]}


@pytest.mark.parametrize("acts", [OLD[0], NEW[0]], ids=["shadow", "canary"])
def test_a_challenger_that_is_no_good_is_its_rollout_s_error_and_says_nothing_of_its_machine(
    tmp_path: Path, acts: str
) -> None:
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": OLD[0]}))
    trials = (Trial("roll", 5, "p1", NEW[0], OLD[0]),)
    bring(models, WantedModels("r2", {"p1": acts}, trials), {NEW[0]: NEW[1][:9]})
    assert (acting(models), models.acting.refused()) == ({"p1": OLD[0]}, {})
    (trial,) = models.tried.trials()
    assert trial.sides[Side.CHALLENGER].refused == {NEW[0]}
    assert models.held.refused == ({} if acts == OLD[0] else {"p1": "truncated"})


def test_where_nothing_else_acts_a_challenger_that_is_no_good_is_told_of_its_machine(tmp_path: Path) -> None:
    models = opened(tmp_path)
    trials = (Trial("roll", 5, "p1", NEW[0], None),)
    bring(models, WantedModels("r1", {"p1": NEW[0]}, trials), {NEW[0]: NEW[1][:9]})
    assert (acting(models), models.acting.refused()["p1"].kind) == ({}, "truncated")


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"used": {"p1": "../../etc/passwd"}})])
def test_a_plan_that_cannot_be_read_is_asked_for_again(tmp_path: Path, text: str) -> None:
    bring(opened(tmp_path), WantedModels("r1", {"p1": OLD[0]}))
    (tmp_path / "models" / PLAN).write_text(text)
    assert ModelFolder(tmp_path).read_plan() == Plan()
    models = opened(tmp_path)
    assert acting(models) == {}
    bring(models, WantedModels("r1", {"p1": OLD[0]}), {})  # still on the disk
    assert acting(models) == {"p1": OLD[0]}


def test_a_disk_that_refuses_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = opened(tmp_path)
    bring(models, WantedModels("r1", {"p1": OLD[0]}))

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed, match="free space"):
        bring(models, WantedModels("r2", {"p1": NEW[0]}))
    monkeypatch.undo()
    assert acting(models) == acting(opened(tmp_path)) == {"p1": OLD[0]}
    bring(models, WantedModels("r2", {"p1": NEW[0]}))
    assert acting(models) == {"p1": NEW[0]}
