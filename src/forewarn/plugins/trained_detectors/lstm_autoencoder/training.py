"""The network trained with JAX and optax, which only this file imports, and only when something is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import ConfigurationError
from forewarn.plugins.trained_detectors.lstm_autoencoder.network import Floats, NumpyNetwork, Sizes

Step = Callable[[Any, Any, Any, Any], tuple[Any, Any]]
# A step compiled once serves every later training of the same sizes.
_COMPILED: dict[float, Step] = {}


@dataclass(frozen=True, slots=True)
class Schedule:
    """Adam (Kingma & Ba 2015). Training ends after `patience` epochs in a row that brought nothing on the windows held
    out, or after `epochs`; the best weights count."""

    epochs: int
    batch: int
    learning_rate: float
    patience: int


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """values: float32[windows, steps, signals], scaled, with what takes no part set to its stand-in. present:
    bool[windows, signals], who takes part. held_out: bool[windows], by which the end of training is found."""

    values: Floats
    present: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


def trained(windows: Windows, sizes: Sizes, schedule: Schedule, seed: int) -> dict[str, Floats]:
    """Weights (Sizes.shapes) of least mean absolute error. Raises ConfigurationError where JAX is not installed."""
    random = np.random.default_rng(seed)
    step, state = _optimiser(first_weights(sizes, random), schedule.learning_rate)
    learn, check = np.flatnonzero(~windows.held_out), np.flatnonzero(windows.held_out)
    batches = -(-len(learn) // schedule.batch)
    best, best_error, idle = first_weights(sizes, random), np.inf, 0
    for _ in range(schedule.epochs):
        order = np.resize(random.permutation(learn), batches * schedule.batch)
        for chosen in order.reshape(batches, schedule.batch):
            state = step(*state, windows.values[chosen], windows.present[chosen].astype(np.float32))
        weights = {name: np.asarray(weight) for name, weight in state[0].items()}
        error = mean_error(weights, windows, check, sizes)
        if error < best_error * 0.999:
            best, best_error, idle = weights, error, 0
        else:
            idle += 1
        if idle >= schedule.patience:
            break
    return best


def mean_error(weights: Mapping[str, Floats], windows: Windows, chosen: NDArray[np.intp], sizes: Sizes) -> float:
    """Mean absolute error over the chosen windows and the signals that take part."""
    inputs, present = windows.values[chosen], windows.present[chosen]
    away = np.abs(NumpyNetwork(weights, sizes)(inputs) - inputs) * present[:, None]
    return float(away.sum() / (sizes.steps * max(present.sum(), 1.0)))


def first_weights(sizes: Sizes, random: np.random.Generator) -> dict[str, Floats]:
    """Glorot & Bengio (2010) for inputs, orthogonal (Saxe 2014) for states, forget bias 1 (Jozefowicz 2015)."""
    units = sizes.units
    weights = {}
    for name, shape in sizes.shapes().items():
        if name.endswith("_state"):
            blocks = [np.linalg.qr(random.normal(size=(units, units)))[0] for _ in range(4)]
            weight = np.concatenate(blocks, axis=1)
        elif len(shape) == 2:
            bound = np.sqrt(6.0 / (shape[0] + (units if "coder" in name else shape[1])))
            weight = random.uniform(-bound, bound, shape)
        else:
            weight = np.zeros(shape)
            if "coder" in name:
                weight[2 * units : 3 * units] = 1.0
        weights[name] = weight.astype(np.float32)
    return weights


def _optimiser(weights: Mapping[str, Floats], learning_rate: float) -> tuple[Step, tuple[Any, Any]]:
    """(step, state): state = step(*state, windows, present), the first of state being the weights."""
    try:
        import jax
        import optax
    except ImportError as error:
        raise ConfigurationError(
            "Training the LSTM autoencoder needs JAX and optax, which are not installed: pip install forewarn[train]"
        ) from error
    adam = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(learning_rate))
    if learning_rate not in _COMPILED:
        _COMPILED[learning_rate] = jax.jit(_stepper(jax, adam))
    return _COMPILED[learning_rate], (dict(weights), adam.init(dict(weights)))


def _stepper(jax: Any, adam: Any) -> Step:
    jnp = jax.numpy

    def layer(carry: Any, given: Any, state_weight: Any) -> Any:
        def advance(carry: Any, projected: Any) -> Any:
            state, cell = carry
            units = state.shape[1]
            gates = projected + state @ state_weight
            smooth = jax.nn.sigmoid(gates[:, : 3 * units])
            cell = smooth[:, 2 * units :] * cell + smooth[:, :units] * jnp.tanh(gates[:, 3 * units :])
            state = smooth[:, units : 2 * units] * jnp.tanh(cell)
            return (state, cell), state

        return jax.lax.scan(advance, carry, given)

    def loss(weights: Any, windows: Any, present: Any) -> Any:
        x = windows.transpose(1, 0, 2)
        still = jnp.zeros((x.shape[1], weights["encoder_state"].shape[0]), x.dtype)
        (code, _), _ = layer(
            (still, still), x @ weights["encoder_input"] + weights["encoder_bias"], weights["encoder_state"]
        )
        given = code @ weights["decoder_input"] + weights["decoder_bias"]
        repeated = jnp.broadcast_to(given, (len(x), *given.shape))
        _, states = layer((still, still), repeated, weights["decoder_state"])
        away = jnp.abs(states @ weights["dense"] + weights["dense_bias"] - x) * present
        return away.sum() / (len(x) * jnp.maximum(present.sum(), 1.0))

    def step(weights: Any, moments: Any, windows: Any, present: Any) -> tuple[Any, Any]:
        gradient = jax.grad(loss)(weights, windows, present)
        change, moments = adam.update(gradient, moments)
        return {name: weights[name] + change[name] for name in weights}, moments

    return step
