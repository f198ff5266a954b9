"""LSTM autoencoder: the arithmetic against its definition, gaps, shared networks, damaged models, missing libraries."""

import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, Parameters
from forewarn.domain.errors import ConfigurationError, InvalidInput, NotEnoughData
from forewarn.plugins.trained_detectors.lstm_autoencoder import LstmAutoencoder, detector
from forewarn.plugins.trained_detectors.lstm_autoencoder.network import NumpyNetwork, Sizes, quantised, unpacked
from forewarn.plugins.trained_detectors.lstm_autoencoder.runtimes import OnnxNetwork
from forewarn.plugins.trained_detectors.lstm_autoencoder.training import first_weights
from forewarn.plugins.trained_detectors.lstm_autoencoder.windows import filled_forward, healthy_range, scaled

ALONE = np.zeros(1, np.intp)
TINY: dict[str, Any] = {"steps": 8, "units": 8, "fill": 2, "epochs": 30, "batch": 32, "learning_rate": 0.01}


def machine(rows: int = 300, seed: int = 0, unit: float = 1.0) -> Matrix:
    """Three signals that swing together."""
    random = np.random.default_rng(seed)
    swing = np.sin(np.arange(rows) / 4.0)
    columns = np.column_stack((swing, -2.0 * swing, np.cos(np.arange(rows) / 4.0)))
    return np.asarray(unit * (columns + 10.0 + random.normal(0, 0.05, columns.shape)))


@pytest.fixture(scope="module")
def trained() -> Parameters:
    return LstmAutoencoder(**TINY).fit(machine())


def scores(model: Parameters, block: Matrix, **settings: Any) -> Matrix:
    return LstmAutoencoder(**{**TINY, **settings}).prepare([model]).score(block[None], ALONE)[0]


def by_definition(weights: dict[str, NDArray[np.float32]], windows: Matrix) -> Matrix:
    """Hochreiter & Schmidhuber's LSTM with forget gates, in float64, step by step."""
    w = {name: weight.astype(np.float64) for name, weight in weights.items()}

    def layer(part: str, given: list[Matrix]) -> list[Matrix]:
        units = w[f"{part}_state"].shape[0]
        state, cell, states = np.zeros((len(windows), units)), np.zeros((len(windows), units)), []
        for x in given:
            gates = x @ w[f"{part}_input"] + state @ w[f"{part}_state"] + w[f"{part}_bias"]
            write, read, keep = (1 / (1 + np.exp(-g)) for g in np.split(gates, 4, axis=1)[:3])
            cell = keep * cell + write * np.tanh(gates[:, 3 * units :])
            state = read * np.tanh(cell)
            states.append(state)
        return states

    code = layer("encoder", list(windows.transpose(1, 0, 2)))[-1]
    states = np.stack(layer("decoder", [code] * windows.shape[1]), axis=1)
    return np.asarray(states @ w["dense"] + w["dense_bias"])


@pytest.mark.parametrize("runtime", [NumpyNetwork, OnnxNetwork])
@pytest.mark.parametrize("sizes", [Sizes(1, 2, 1), Sizes(3, 7, 4), Sizes(10, 30, 64)])
def test_both_runtimes_compute_what_an_lstm_is(runtime: Any, sizes: Sizes) -> None:
    random = np.random.default_rng(1)
    weights = {n: random.normal(0, 0.2, s).astype(np.float32) for n, s in sizes.shapes().items()}
    windows = random.uniform(-1, 2, (300, sizes.steps, sizes.signals)).astype(np.float32)
    rebuilt = runtime(weights, sizes)(windows)
    np.testing.assert_allclose(rebuilt, by_definition(weights, windows), atol=2e-5)
    np.testing.assert_allclose(runtime(weights, sizes)(windows[41:42])[0], rebuilt[41], atol=2e-5)


def test_int8_is_off_by_half_a_step_and_fits_the_edge_many_times() -> None:
    sizes = Sizes(10, 30, 64)
    weights = first_weights(sizes, np.random.default_rng(0))
    weights["dense"][:, 3] = 0.0
    stored = quantised(weights)
    for name, weight in unpacked("lstm_autoencoder", stored, sizes).items():
        step = stored.get(f"{name}_scale", np.zeros(1))
        assert (np.abs(weight - weights[name]) <= 0.501 * step).all()
    assert sum(array.nbytes for array in stored.values()) < 70_000


def test_it_learns_the_swing_and_sees_it_break(trained: Parameters) -> None:
    later = machine(500)[300:]
    usual = scores(trained, later)
    broken = later.copy()
    broken[100:, 1] = 10.0
    odd = scores(trained, broken)
    assert np.nanmax(usual) < 0.12
    assert np.nanmin(odd[110:]) > 1.5 * np.nanmax(usual)
    blame = LstmAutoencoder(**TINY).prepare([trained]).explain(broken[None], ALONE)
    assert blame.share[0].argmax() == 1
    assert (np.abs(blame.expected[0] - 10.0) < 2.5).all()
    quiet = LstmAutoencoder(**TINY).prepare([trained]).explain(later[None], ALONE)
    np.testing.assert_allclose(quiet.expected[0], later[-1], atol=0.6)


def test_beyond_the_healthy_range_nothing_is_clipped(trained: Parameters) -> None:
    block = np.stack([machine(20)] * 3)
    block[1, -1, 0] += 20.0
    block[2, -1, 0] += 40.0
    s = LstmAutoencoder(**TINY).prepare([trained])
    none, once, twice = s.score(block, np.zeros(3, np.intp))[:, -1]
    step = 20.0 / trained["spread"][0] / (8 * 3)
    assert once - none > 0.9 * step
    assert twice - once == pytest.approx(step, rel=0.05)


def test_min_max_and_its_inverse_for_constant_signals() -> None:
    low, width, middle = healthy_range(np.array([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan], [np.inf, 5.0, np.nan]]))
    np.testing.assert_array_equal(low, [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(width, [2.0, np.nan, np.nan])
    np.testing.assert_array_equal(middle, [0.5, 0.0, 0.0])
    x = scaled(np.array([[[1.0, 5.0, 2.0], [5.0, 9.0, 2.0]]]), low[None], width[None])
    np.testing.assert_array_equal(x[0], [[0.0, np.nan, np.nan], [2.0, np.nan, np.nan]])


def test_a_gap_is_filled_forward_for_so_many_rows_and_over_no_break() -> None:
    gap = np.nan
    x = np.array([[gap, 1.0, gap, gap, gap, 2.0, gap, gap, gap], [4.0, 4, 4, 4, 4, 4, gap, 4, 4]]).T[None]
    wanted = [[gap, 1.0, 1.0, 1.0, gap, 2.0, gap, gap, gap], [4.0, 4, 4, 4, 4, 4, gap, 4, 4]]
    np.testing.assert_array_equal(filled_forward(x, 2)[0].T, wanted)


def test_short_gaps_are_carried_and_long_ones_take_the_signal_out(trained: Parameters) -> None:
    block = machine(60)
    gaps = block.copy()
    gaps[30:32, 0] = np.nan
    carried = block.copy()
    carried[30:32, 0] = block[29, 0]
    np.testing.assert_allclose(scores(trained, gaps), scores(trained, carried), rtol=1e-6)
    gone, wild = block.copy(), block.copy()
    gone[30:, 0] = np.nan
    wild[:30, 0], wild[30:, 0] = 500.0, np.nan
    np.testing.assert_allclose(scores(trained, gone)[45:], scores(trained, wild)[45:], rtol=1e-6)
    assert np.isfinite(scores(trained, gone)[45:]).all()


def test_machines_of_a_template_share_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    real = detector.network
    monkeypatch.setattr(detector, "network", lambda *given: built.append(real(*given)) or built[-1])
    lstm = LstmAutoencoder(**{**TINY, "epochs": 2})
    members = [machine(seed=1), machine(seed=2, unit=1000.0)]
    part = lstm.fit_shared([lstm.sample(rows, 0.5) for rows in members])
    first, second, third = (lstm.calibrate(part, rows) for rows in [*members, machine(seed=3, unit=0.001)])
    other = lstm.fit(machine(seed=4), seed=5)
    scorer = lstm.prepare([first, second, other, third])
    assert len(built) == 2
    blocks = np.stack([machine(50, seed=9, unit=unit) for unit in (1.0, 1000.0, 1.0, 0.001)])
    together = scorer.score(blocks, np.arange(4))
    for i, model in enumerate((first, second, other, third)):
        np.testing.assert_allclose(together[i], lstm.prepare([model]).score(blocks[i : i + 1], ALONE)[0], rtol=1e-5)
    np.testing.assert_allclose(together[0], together[1], rtol=0.2)


def test_runtimes_agree_on_a_trained_model(trained: Parameters) -> None:
    block = machine(80, seed=7)
    np.testing.assert_allclose(
        scores(trained, block, runtime="onnx"), scores(trained, block, runtime="numpy"), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("encoder_input", np.zeros((3, 31), np.int8)),
        ("encoder_state", np.zeros((8, 32), np.float32)),
        ("decoder_state", None),
        ("decoder_bias", np.full(32, np.nan, np.float32)),
        ("dense_scale", np.full(3, np.inf, np.float32)),
        ("dense_scale", np.full(3, 1e38, np.float32)),
        ("dense", np.zeros((0, 3), np.int8)),
        ("encoder_bias", np.full(32, 1e30, np.float32)),
        ("middle", np.full(3, 1e300)),
        ("spread", np.array([1.0, 0.0, 1.0])),
        ("dense_bias", np.array(["import os"] * 3)),
        ("steps", np.array([9])),
        ("steps", None),
        ("low", np.full(3, np.inf)),
        ("spread", np.zeros((3, 3))),
    ],
)
def test_a_damaged_model_is_refused_by_the_name_of_what_is_wrong(trained: Parameters, field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        LstmAutoencoder(**TINY).prepare([trained, {**trained, field: value}])
    assert caught.value.field in (field, field.removesuffix("_scale"))
    assert "lstm_autoencoder" in str(caught.value)


def test_a_model_of_other_sizes_is_refused(trained: Parameters) -> None:
    with pytest.raises(InvalidInput, match="encoder_input is int8"):
        LstmAutoencoder(**{**TINY, "units": 16}).prepare([trained])


@pytest.mark.parametrize("library", ["jax", "optax"])
def test_training_without_its_libraries_names_the_extra(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigurationError, match=r"pip install forewarn\[train\]"):
        LstmAutoencoder(**TINY).fit(machine())


def test_scoring_needs_neither_jax_nor_onnx_runtime(monkeypatch: pytest.MonkeyPatch, trained: Parameters) -> None:
    block = machine(40)
    with_it = scores(trained, block)
    for library in ("jax", "optax", "onnxruntime"):
        monkeypatch.setitem(sys.modules, library, None)
    np.testing.assert_allclose(scores(trained, block), with_it, rtol=1e-5)
    with pytest.raises(ConfigurationError, match=r"pip install forewarn\[onnx\]"):
        scores(trained, block, runtime="onnx")


def test_training_stops_when_nothing_more_is_learned_and_keeps_the_best() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (200, 3))
    quick = LstmAutoencoder(**{**TINY, "epochs": 60, "patience": 2}).fit(noise)
    long = LstmAutoencoder(**{**TINY, "epochs": 61, "patience": 2}).fit(noise)
    for name in quick:
        np.testing.assert_array_equal(quick[name], long[name])


def test_windows_without_a_break_are_what_counts() -> None:
    rows = machine(300)
    rows[::8] = np.nan
    with pytest.raises(NotEnoughData, match="lstm_autoencoder"):
        LstmAutoencoder(**TINY).fit(rows)


@pytest.mark.parametrize("wrong", [{"runtime": "torch"}, {"units": 0}, {"fill": -1}, {"steps": 0}])
def test_settings_that_make_no_network_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="lstm_autoencoder"):
        LstmAutoencoder(**wrong)
