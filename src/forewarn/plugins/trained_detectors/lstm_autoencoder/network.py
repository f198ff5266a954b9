"""The network as plain arrays: LSTM encoder, its last state repeated, LSTM decoder, one dense layer per step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Parameters
from forewarn.domain.errors import InvalidInput

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]
_TOGETHER: Final = 256
_LARGEST: Final = 1e3  # no trained weight comes near; beyond it float32 might overflow


@dataclass(frozen=True, slots=True)
class Sizes:
    """signals in and out, steps a window, units of encoder and decoder."""

    signals: int
    steps: int
    units: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the weights: rows are inputs, columns the gates in ONNX's order (input, output, forget, cell)."""
        gates = 4 * self.units
        return {
            "encoder_input": (self.signals, gates),
            "encoder_state": (self.units, gates),
            "encoder_bias": (gates,),
            "decoder_input": (self.units, gates),
            "decoder_state": (self.units, gates),
            "decoder_bias": (gates,),
            "dense": (self.units, self.signals),
            "dense_bias": (self.signals,),
        }


def quantised(weights: Weights) -> dict[str, NDArray[Any]]:
    """Matrices as int8 with a float32 scale per column ("<name>_scale"), biases as they are."""
    stored: dict[str, NDArray[Any]] = {}
    for name, weight in weights.items():
        if weight.ndim == 1:
            stored[name] = weight.astype(np.float32)
            continue
        largest = np.abs(weight).max(axis=0)
        scale = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
        stored[name] = np.rint(weight / scale).astype(np.int8)
        stored[f"{name}_scale"] = scale
    return stored


def checked(detector: str, stored: Parameters, sizes: Sizes) -> dict[str, NDArray[Any]]:
    """The network's arrays of a model. Raises InvalidInput where one is missing, misshapen or not finite."""
    found: dict[str, NDArray[Any]] = {}
    for name, shape in sizes.shapes().items():
        if len(shape) == 1:
            found[name] = _array(detector, stored, name, np.float32, shape)
        else:
            found[name] = _array(detector, stored, name, np.int8, shape)
            found[f"{name}_scale"] = _array(detector, stored, f"{name}_scale", np.float32, shape[1:])
    return found


def _array(detector: str, stored: Parameters, name: str, kind: type, shape: tuple[int, ...]) -> NDArray[Any]:
    array = stored.get(name)
    if not isinstance(array, np.ndarray) or array.dtype != kind or array.shape != shape:
        what = f"{array.dtype}{list(array.shape)}" if isinstance(array, np.ndarray) else "missing"
        raise InvalidInput(
            f"{detector}: {name} is {what}, not {np.dtype(kind)}{list(shape)}: train the model again", field=name
        )
    if not np.isfinite(array).all():
        raise InvalidInput(f"{detector}: {name} holds a number that is not finite: train the model again", field=name)
    return array


def unpacked(detector: str, stored: Mapping[str, NDArray[Any]], sizes: Sizes) -> dict[str, Floats]:
    """float32 weights of a quantised network. Raises InvalidInput for such as no training leaves behind."""
    weights = {}
    for name, shape in sizes.shapes().items():
        weight = stored[name].astype(np.float64) * (stored[f"{name}_scale"] if len(shape) > 1 else 1.0)
        if np.abs(weight).max() > _LARGEST:
            raise InvalidInput(
                f"{detector}: {name} holds weights beyond {_LARGEST:g}: train the model again", field=name
            )
        weights[name] = weight.astype(np.float32)
    return weights


class NumpyNetwork:
    """The network in numpy. Sigmoids are taken as tanh of half, so that a step has one tanh for all its gates."""

    def __init__(self, weights: Weights, sizes: Sizes) -> None:
        half = np.ones(4 * sizes.units, np.float32)
        half[: 3 * sizes.units] = 0.5
        w = {name: weight * half if "coder" in name else weight for name, weight in weights.items()}
        self._encoder = np.concatenate((w["encoder_input"], w["encoder_bias"][None], w["encoder_state"]))
        self._decoder_input, self._decoder_bias = w["decoder_input"], w["decoder_bias"]
        self._decoder, self._dense, self._dense_bias = w["decoder_state"], w["dense"], w["dense_bias"]
        self._sizes = sizes

    def __call__(self, windows: Floats) -> Floats:
        """float32[b, steps, signals], 0 = healthy least, 1 = healthy most; the same, reconstructed."""
        out = np.empty_like(windows)
        for first in range(0, len(windows), _TOGETHER):
            out[first : first + _TOGETHER] = self._few(windows[first : first + _TOGETHER])
        return out

    def _few(self, windows: Floats) -> Floats:
        b, steps, signals = windows.shape
        units = self._sizes.units
        joint = np.ones((b, signals + 1 + units), np.float32)
        state, cell = joint[:, signals + 1 :], np.zeros((b, units), np.float32)
        state[:] = 0.0
        gates = np.empty((b, 4 * units), np.float32)
        for step in range(steps):
            joint[:, :signals] = windows[:, step]
            np.matmul(joint, self._encoder, out=gates)
            _advance(gates, cell, state, units)
        given = state @ self._decoder_input + self._decoder_bias
        states = np.empty((steps, b, units), np.float32)
        previous: Floats = np.zeros((b, units), np.float32)
        cell[:] = 0.0
        for step in range(steps):
            np.matmul(previous, self._decoder, out=gates)
            gates += given
            _advance(gates, cell, states[step], units)
            previous = states[step]
        rebuilt = states.reshape(-1, units) @ self._dense + self._dense_bias
        return np.asarray(rebuilt.reshape(steps, b, signals).transpose(1, 0, 2), np.float32)


def _advance(gates: Floats, cell: Floats, state: Floats, units: int) -> None:
    """One LSTM step in place; gates: [b, 4 units] before activation, the first three halves halved."""
    np.tanh(gates, out=gates)
    smooth = gates[:, : 3 * units]
    smooth *= 0.5
    smooth += 0.5
    cell *= smooth[:, 2 * units :]
    cell += smooth[:, :units] * gates[:, 3 * units :]
    np.tanh(cell, out=state)
    state *= smooth[:, units : 2 * units]
