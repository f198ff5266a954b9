"""Models as artifacts: what comes back scores the same; what was tampered with is refused by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.errors import ArtifactRefused, InvalidInput
from forewarn.learning.fleet import Fleet
from forewarn.learning.machine_artifact import packed, unpacked
from forewarn.policies.model_artifact import pack, unpack
from tests.learning.test_fleet import DETECTORS, MODELS, TABLE, behaviour, learned, readings, run

TWO_SPEEDS = learned((1450.0, 2900.0))[0]
PAYLOAD = packed(TWO_SPEEDS)
HEADER, ARRAYS = unpack(PAYLOAD)


def test_what_comes_back_scores_the_same_and_is_small() -> None:
    batch = readings({"a": np.vstack((behaviour(1, 200), behaviour(2, 300, 2900.0)))})
    before = run(Fleet([TWO_SPEEDS], TABLE, DETECTORS), batch, [])
    after = run(Fleet([unpacked(PAYLOAD, "v1")], TABLE, DETECTORS), batch, [])
    assert before.regime == after.regime
    for at, ratio in before.ratio.items():
        assert after.ratio[at] == pytest.approx(ratio, nan_ok=True)
    assert len(PAYLOAD) < 200_000
    again = unpacked(PAYLOAD, "v1")
    assert again.version == "v1"
    assert again.left_out == TWO_SPEEDS.left_out
    assert packed(MODELS[0]) == packed(MODELS[0])


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"kind": "network"}, "kind"),
        ({"units": ["u"]}, "units"),
        ({"step_us": 0}, "step"),
        ({"ensembles": [None, None]}, "detectors"),
        ({"more": 1}, "header"),
    ],
)
def test_a_header_that_says_something_else_is_refused(change: dict[str, object], names: str) -> None:
    with pytest.raises(ArtifactRefused, match=names):
        unpacked(pack({**HEADER, **change}, ARRAYS, _gaps()), "v")  # type: ignore[dict-item]


@pytest.mark.parametrize("name", ["regimes.below", "regimes.above", "regimes.column"])
def test_a_tree_that_leads_nowhere_is_refused(name: str) -> None:
    for wrong in (0, 7, -9):
        if name == "regimes.column" and wrong == 0:
            continue
        arrays = {**ARRAYS, name: np.full_like(ARRAYS[name], wrong)}
        with pytest.raises(ArtifactRefused, match="nowhere"):
            unpacked(pack(HEADER, arrays, _gaps()), "v")


@settings(max_examples=60)
@given(st.sampled_from(sorted(ARRAYS)), st.sampled_from(["gone", "short", "flat", "whole", "huge"]))
def test_parameters_of_another_form_never_score(name: str, how: str) -> None:
    """Either the artifact or the detector refuses, or what is left is a model still."""
    array = ARRAYS[name]
    wrong = {
        "gone": None,
        "short": array[:-1],
        "flat": array.reshape(-1)[:, None],
        "whole": np.zeros(array.shape, np.int8),
        "huge": np.full(array.shape, 1e308) if array.dtype.kind == "f" else array,
    }[how]
    arrays = {k: v for k, v in ARRAYS.items() if k != name} | ({} if wrong is None else {name: wrong})
    batch = readings({"a": behaviour(1, 90)})
    try:
        payload = pack(HEADER, arrays, [g for g in _gaps() if g in arrays])
        told = run(Fleet([unpacked(payload, "v")], TABLE, DETECTORS), batch, [])
    except InvalidInput:
        return
    assert not np.isinf(list(told.ratio.values())).any()


def _gaps() -> list[str]:
    return [n for n, a in ARRAYS.items() if a.dtype.kind == "f" and np.isnan(a).any()]
