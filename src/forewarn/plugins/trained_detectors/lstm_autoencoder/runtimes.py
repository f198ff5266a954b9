"""What carries a network out: ONNX Runtime where it is installed, numpy where it is not. Both give the same scores."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

import numpy as np

from forewarn.domain.errors import ConfigurationError
from forewarn.plugins.trained_detectors.lstm_autoencoder.network import Floats, NumpyNetwork, Sizes, Weights
from forewarn.plugins.trained_detectors.lstm_autoencoder.onnx_graph import onnx_graph

Network = Callable[[Floats], Floats]
RUNTIMES: Final = ("auto", "numpy", "onnx")
# Windows in one run: more of them leave the processor's cache.
_TOGETHER: Final = 128


def network(weights: Weights, sizes: Sizes, runtime: str) -> Network:
    """runtime: of RUNTIMES. Raises ConfigurationError where ONNX Runtime is asked for and missing."""
    present = find_spec("onnxruntime") is not None
    if runtime == "onnx" and not present:
        raise ConfigurationError(
            "The LSTM autoencoder is set to run in ONNX Runtime, which is not installed: "
            "pip install forewarn[onnx], or set its runtime to 'numpy'"
        )
    return OnnxNetwork(weights, sizes) if present and runtime != "numpy" else NumpyNetwork(weights, sizes)


class OnnxNetwork:
    """One thread: a gateway's core is shared with its connectors."""

    def __init__(self, weights: Weights, sizes: Sizes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        graph = onnx_graph(weights, sizes)
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, windows: Floats) -> Floats:
        out = np.empty_like(windows)
        for first in range(0, len(windows), _TOGETHER):
            part = np.ascontiguousarray(windows[first : first + _TOGETHER])
            out[first : first + _TOGETHER] = self._session.run(None, {"x": part})[0]
        return out
