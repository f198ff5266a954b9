"""The network as an ONNX graph, written from checked arrays: a model never carries a graph of its own.

Wire format: Protocol Buffers; field numbers from onnx.proto3 (ONNX IR version 8, opset 17).
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.plugins.trained_detectors.lstm_autoencoder.network import Sizes, Weights

_FLOAT, _INT64 = 1, 7
_KINDS: Final = {np.dtype(np.float32): _FLOAT, np.dtype(np.int64): _INT64}
_INT, _INTS = 2, 7


def onnx_graph(weights: Weights, sizes: Sizes) -> bytes:
    """x: float32[batch, steps, signals] in, y: the same out.

    The weights stay float32: given int8, ONNX Runtime quantises what flows between them as well, by the extremes of the
    whole batch, so that a window's score would depend on which others are scored with it."""
    nodes = [_node("Transpose", ["x"], ["time_first"], perm=[1, 0, 2])]
    nodes += [_lstm("encoder", "time_first", ["", "code"], sizes), _node("Expand", ["code", "repeat"], ["repeated"])]
    nodes += [_lstm("decoder", "repeated", ["states", ""], sizes), _node("Squeeze", ["states", "one"], ["flat"])]
    nodes += [_node("MatMul", ["flat", "dense"], ["product"]), _node("Add", ["product", "dense_bias"], ["rebuilt"])]
    nodes += [_node("Transpose", ["rebuilt"], ["y"], perm=[1, 0, 2])]
    tensors = [_tensor("repeat", np.array([sizes.steps, 1, 1], np.int64)), _tensor("one", np.array([1], np.int64))]
    for name, weight in weights.items():
        if name.endswith("coder_bias"):
            tensors.append(_tensor(name, np.concatenate((weight, np.zeros_like(weight)))[None]))
        else:
            tensors.append(_tensor(name, weight if name.startswith("dense") else weight.T[None]))
    graph = b"".join(_part(1, node) for node in nodes) + _text(2, "lstm_autoencoder")
    graph += b"".join(_part(5, tensor) for tensor in tensors)
    graph += _part(11, _window("x", sizes)) + _part(12, _window("y", sizes))
    return _number(1, 8) + _text(2, "forewarn") + _part(7, graph) + _part(8, _text(1, "") + _number(2, 17))


def _lstm(part: str, given: str, outputs: Sequence[str], sizes: Sizes) -> bytes:
    inputs = [given, f"{part}_input", f"{part}_state", f"{part}_bias"]
    return _node("LSTM", inputs, outputs, hidden_size=sizes.units)


def _node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | Sequence[int]) -> bytes:
    node = b"".join(_text(1, name) for name in inputs) + b"".join(_text(2, name) for name in outputs)
    node += _text(4, operator)
    for name, value in attributes.items():
        if isinstance(value, int):
            content = _number(3, value) + _number(20, _INT)
        else:
            content = b"".join(_number(8, each) for each in value) + _number(20, _INTS)
        node += _part(5, _text(1, name) + content)
    return node


def _tensor(name: str, array: NDArray[Any]) -> bytes:
    dims = b"".join(_number(1, size) for size in array.shape)
    raw = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
    return dims + _number(2, _KINDS[array.dtype]) + _text(8, name) + _part(9, raw)


def _window(name: str, sizes: Sizes) -> bytes:
    dims = [_text(2, "batch"), _number(1, sizes.steps), _number(1, sizes.signals)]
    shape = b"".join(_part(1, dim) for dim in dims)
    return _text(1, name) + _part(2, _part(1, _number(1, _FLOAT) + _part(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode())


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
