"""First-order systems, exact for a target held during a step: y' = (target - y) / tau."""

from functools import lru_cache

import numpy as np

from forewarn.simulator.quantities import Array

_BLOCK = 64


@lru_cache(maxsize=64)
def _kernel(a: float) -> tuple[Array, Array]:
    """Lower triangular response of one block to its own targets, and the decay of what came before it."""
    i = np.arange(_BLOCK)
    power = i[:, None] - i[None, :]
    response = np.where(power >= 0, (1.0 - a) * np.power(a, np.maximum(power, 0).astype(float)), 0.0)
    return response, np.power(a, i + 1.0)


def first_order(target: Array, a: float, state: Array) -> Array:
    """y[i] = a y[i-1] + (1 - a) target[i] with y[-1] = state.

    target: [n, c]; state: [c], overwritten with y[n-1]; a = exp(-step/tau). Returns y [n, c]. Blocks of 64 steps
    are one matrix product each, so the cost per value does not depend on tau."""
    n, c = target.shape
    if n == 1:
        state *= a
        state += (1.0 - a) * target[0]
        return state[None, :].copy()
    blocks = -(-n // _BLOCK)
    padded = target
    if n % _BLOCK:
        padded = np.concatenate([target, np.zeros((blocks * _BLOCK - n, c))])
    response, decay = _kernel(a)
    y: Array = np.matmul(response, padded.reshape(blocks, _BLOCK, c))
    carry = np.empty((blocks, c))
    current = state.copy()
    for block in range(blocks):
        carry[block] = current
        current = decay[-1] * current + y[block, -1]
    y += decay[None, :, None] * carry[:, None, :]
    flat = y.reshape(-1, c)[:n]
    state[:] = flat[-1]
    return flat


class Lags:
    """Named first-order states of one group of machines, kept from call to call.

    A state seen for the first time starts at its target: a plant begins warm, not cold."""

    def __init__(self) -> None:
        self.states: dict[str, Array] = {}
        self.step_s = 1.0

    def __call__(self, name: str, target: Array, tau_s: float) -> Array:
        state = self.states.get(name)
        if state is None:
            state = self.states[name] = target[0].copy()
        return first_order(target, float(np.exp(-self.step_s / tau_s)), state)

    def snapshot(self) -> dict[str, list[float]]:
        return {name: state.tolist() for name, state in self.states.items()}

    def restore(self, saved: dict[str, list[float]]) -> None:
        self.states = {name: np.array(values) for name, values in saved.items()}
