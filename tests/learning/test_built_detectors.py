"""Models keep the hyper-parameters of their detectors: a default that changes later changes no old model."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from forewarn.domain.errors import ArtifactRefused, InvalidInput
from forewarn.learning.built_detectors import MOST_CONTEXT, built, check_settings, settings_of
from forewarn.learning.ensemble import EnsembleScorer, fit_ensemble
from forewarn.learning.fleet import Fleet
from forewarn.learning.machine_artifact import packed, unpacked
from forewarn.learning.machine_model import MachineModel, learn_machine
from forewarn.learning.model_check import check_model
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.slow_windows import SlowWindows
from forewarn.plugins.trained_detectors.window_mahalanobis import WindowMahalanobis
from forewarn.policies.model_artifact import pack, unpack
from tests.learning.test_fleet import MACHINES, SECOND, SIGNALS, TABLE, Told, behaviour, readings, run

NOW = {d.name: d for d in (RobustZ(), Pca(), WindowMahalanobis())}
THEN: Any = {d.name: d for d in (RobustZ(4), Pca(6, 0.9), WindowMahalanobis(20))}


def learned(detectors: Any, machine: int = 0) -> MachineModel:
    signals = SIGNALS[4 * machine : 4 * machine + 4]
    return learn_machine(MACHINES[machine], behaviour(10 * machine, 900), signals, SECOND, detectors)


OLD = learned(THEN)


def changed(model: MachineModel, settings: Any, detector: str = "robust_z") -> bytes:
    """The artifact with other settings of one detector; None: without any."""
    header: Any
    header, arrays = unpack(packed(model))
    for ensemble in header["ensembles"]:
        for member in ensemble["members"] if ensemble else ():
            if member["detector"] == detector:
                member["settings"] = settings
                if settings is None:
                    del member["settings"]
    gaps = [n for n, a in arrays.items() if a.dtype.kind == "f" and np.isnan(a).any()]
    return pack(header, arrays, gaps)


def same(got: Told, wanted: Told) -> None:
    assert got.ratio == pytest.approx(wanted.ratio, nan_ok=True, rel=1e-12)
    assert np.isfinite(list(got.ratio.values())).any()


def test_a_changed_default_changes_no_score_of_an_old_model() -> None:
    batch = readings({"a": behaviour(1, 200)})
    back = unpacked(packed(OLD), "v")
    told = run(Fleet([back], TABLE, NOW), batch, [])
    same(told, run(Fleet([OLD], TABLE, THEN), batch, []))
    blocks, alone = behaviour(1, 60)[None], np.zeros(1, np.intp)
    ensemble = back.ensembles[0]
    assert ensemble is not None
    assert EnsembleScorer(NOW, [ensemble]).context == 19
    without = replace(ensemble, members=tuple(replace(m, settings=None) for m in ensemble.members))
    with_defaults = EnsembleScorer(NOW, [without]).ratio(blocks, alone)
    assert not np.array_equal(with_defaults, EnsembleScorer(NOW, [ensemble]).ratio(blocks, alone), equal_nan=True)


def test_an_artifact_without_settings_is_scored_with_the_defaults() -> None:
    payload = packed(learned(NOW))
    for name in NOW:
        payload = changed(unpacked(payload, "v"), None, name)
    model = unpacked(payload, "v")
    assert {kind for _, kind in model.kinds} == {None}
    check_model(model, NOW)
    batch = readings({"a": behaviour(1, 120)})
    same(run(Fleet([model], TABLE, NOW), batch, []), run(Fleet([learned(NOW)], TABLE, NOW), batch, []))
    assert b"settings" not in packed(model)


def test_machines_of_equal_settings_are_scored_in_one_call_and_share_the_detector() -> None:
    models = [learned(THEN), learned(THEN, 1), learned(NOW, 2)]
    models = [unpacked(packed(model), "v") for model in models]
    fleet = Fleet(models, TABLE, NOW)
    squads = [len(scores.machine) for scores in fleet.score(readings({m: behaviour(1, 40) for m in MACHINES}))]
    assert sorted(squads) == [1, 2]
    told = settings_of(RobustZ(4))
    assert built(NOW, "robust_z", told) is built({"robust_z": RobustZ(9)}, "robust_z", dict(told))
    assert built(NOW, "robust_z", settings_of(NOW["robust_z"])) is NOW["robust_z"]
    assert built(NOW, "robust_z", None) is NOW["robust_z"]


def test_ensembles_of_other_settings_do_not_stand_side_by_side() -> None:
    rows = behaviour(3, 500)
    pair = [fit_ensemble(rows, {"robust_z": RobustZ(n)}) for n in (4, 5)]
    with pytest.raises(InvalidInput, match="different members"):
        EnsembleScorer(NOW, pair)


@pytest.mark.parametrize(
    "settings",
    [
        {"window": 3},
        {"smooth": "ten"},
        {"smooth": 0},
        {"smooth": -5},
        {"smooth": 2.5},
        {"smooth": 10**9},
        {"smooth": 10**400},
        {"smooth": None},
        {"smooth": [1, 2]},
        {"self": 1},
    ],
)
def test_settings_that_a_detector_cannot_have_are_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="robust_z"):
        check_model(unpacked(changed(OLD, settings), "v"), NOW)


@pytest.mark.parametrize(
    "settings",
    [
        7,
        [],
        {"smooth": {"deep": 1}},
        {"smooth": [[1]]},
        {"no name": 1},
        {f"s{n}": 1 for n in range(99)},
        {"s": "x" * 9999},
    ],
)
def test_a_header_whose_settings_are_none_is_refused(settings: Any) -> None:
    with pytest.raises(ArtifactRefused):
        unpacked(changed(OLD, settings), "v")


def test_windows_beyond_what_a_machine_may_keep_are_refused_before_a_row_is_made() -> None:
    slow = {"slow_windows": SlowWindows((10, 40))}
    model = learned(slow)
    for longest in (10**9, MOST_CONTEXT + 1):
        with pytest.raises(InvalidInput, match="rows before"):
            check_model(unpacked(changed(model, {"lengths": [10, longest]}, "slow_windows"), "v"), slow)
    ensemble = model.ensembles[0]
    assert ensemble is not None
    members = tuple(replace(m, settings={"lengths": [10, MOST_CONTEXT]}) for m in ensemble.members)
    many = replace(
        model, ensembles=(replace(ensemble, members=members),) * 60, signals=tuple(f"s{i}" for i in range(100))
    )
    with pytest.raises(ArtifactRefused, match="more than a machine may keep"):
        check_model(many, slow)


def test_parameters_that_are_no_json_are_refused_where_they_are_learned() -> None:
    class Odd(RobustZ):
        name = "odd"

        def parameters(self) -> dict[str, Any]:
            return {"smooth": object()}

    with pytest.raises(InvalidInput, match="odd"):
        fit_ensemble(behaviour(1, 300), {"odd": Odd()})
    with pytest.raises(InvalidInput, match="plain"):
        check_settings("odd", {"smooth": [object()]})
