"""A trained model as bytes: plain arrays and a JSON header, loaded without running code; docs/formats/model.md.

The container is safetensors. Texts of errors name the part, never its content.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from forewarn.domain.errors import ArtifactRefused, InvalidInput
from forewarn.domain.model_versions import ArtifactFault

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
MOST_BYTES: Final = 5_000_000  # of a signed artifact
MOST_ARRAYS: Final = 4_096
_DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("<i1"),
    "U8": np.dtype("<u1"),
    "BOOL": np.dtype("?"),
}
_NAME: Final = re.compile(r"[\w.:+\-/ ]{1,200}", re.ASCII)
_MOST_DIMENSIONS: Final = 8
_FORMAT: Final = 1
_deserialize: Callable[[bytes], list[tuple[str, Mapping[str, Any]]]] = safetensors.deserialize


def pack(header: Mapping[str, Json], arrays: Mapping[str, NDArray[Any]], gaps: Collection[str] = ()) -> bytes:
    """The same content gives the same bytes. gaps: names of the arrays in which NaN says that nothing is known; no
    other may have one, and none an infinity. Raises InvalidInput for what `unpack` would refuse."""
    laid = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    for name, array in laid.items():
        if array.dtype not in _DTYPES.values():
            kinds = ", ".join(kind.name for kind in _DTYPES.values())
            raise InvalidInput(f"array {name!r} is of {array.dtype}: a model holds {kinds}", field=name)
    told = {"format": _FORMAT, "gaps": sorted(set(gaps)), "header": header}
    try:
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the header of a model is JSON: {error}", field="header") from None
    payload = save(laid, {"forewarn": text})
    unpack(payload)
    return payload


def unpack(payload: bytes) -> tuple[dict[str, Json], dict[str, NDArray[Any]]]:
    """Header and arrays, read-only. Raises ArtifactRefused."""
    if len(payload) > MOST_BYTES:
        raise ArtifactRefused(
            f"{len(payload):,} bytes; a model has at most {MOST_BYTES:,}", fault=ArtifactFault.TOO_LARGE
        )
    try:
        found = _deserialize(payload)
    except (SafetensorError, ValueError, OverflowError) as error:
        raise _poisoned(f"it is not a safetensors file: {error}") from None
    if len(found) > MOST_ARRAYS:
        raise _poisoned(f"{len(found):,} arrays; a model has at most {MOST_ARRAYS:,}")
    header, gaps = _header(payload)
    arrays = {name: _array(name, told) for name, told in found}
    for name, array in arrays.items():
        _check_numbers(name, array, name in gaps)
    if unknown := gaps - arrays.keys():
        raise _poisoned(f"it says gaps of arrays that it does not have: {', '.join(sorted(unknown)[:3])}")
    return header, arrays


def check_forms(
    arrays: Mapping[str, NDArray[Any]], forms: Mapping[str, tuple[str, tuple[int | None, ...]]]
) -> Mapping[str, NDArray[Any]]:
    """`arrays`, if there are exactly those of `forms`, each of its dtype and shape (None: any length).

    Raises ArtifactRefused, which names the first that is not."""
    if missing := sorted(forms.keys() - arrays.keys()):
        raise _poisoned(f"array {missing[0]!r} is missing")
    if strange := sorted(arrays.keys() - forms.keys()):
        raise _poisoned(f"array {strange[0]!r} is none of this model's")
    for name, (dtype, shape) in forms.items():
        array = arrays[name]
        fits = array.ndim == len(shape) and all(w is None or w == n for w, n in zip(shape, array.shape, strict=True))
        if array.dtype != np.dtype(dtype) or not fits:
            wanted = f"{dtype}[{', '.join('any' if n is None else str(n) for n in shape)}]"
            raise _poisoned(f"array {name!r} is {array.dtype}{list(array.shape)}, not {wanted}")
    return arrays


def _poisoned(why: str) -> ArtifactRefused:
    return ArtifactRefused(f"this model is not used, {why}. Train it again", fault=ArtifactFault.POISONED)


def _header(payload: bytes) -> tuple[dict[str, Json], frozenset[str]]:
    """What deserialize() leaves out: bounds and UTF-8 are checked by then."""
    length = int.from_bytes(payload[:8], "little")
    try:
        outer = json.loads(payload[8 : 8 + length])
        told = json.loads(outer["__metadata__"]["forewarn"], parse_constant=_no_number, parse_float=_number)
        form, gaps, header = told["format"], told["gaps"], told["header"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _poisoned(f"its header cannot be read ({type(error).__name__})") from None
    if form != _FORMAT:
        raise _poisoned(f"it is of format {str(form)[:20]!r}, this Forewarn knows {_FORMAT}")
    if not isinstance(header, dict) or not isinstance(gaps, list) or not all(isinstance(g, str) for g in gaps):
        raise _poisoned("its header is not the object that it must be")
    return header, frozenset(gaps)


def _number(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> float:
    raise ValueError("a number that is none")


def _array(name: str, told: Mapping[str, Any]) -> NDArray[Any]:
    dtype, shape = _DTYPES.get(told["dtype"]), told["shape"]
    if not _NAME.fullmatch(name):
        raise _poisoned("an array's name has characters that it may not have")
    if dtype is None:
        raise _poisoned(f"array {name!r} is of {str(told['dtype'])[:20]}")
    if len(shape) > _MOST_DIMENSIONS:
        raise _poisoned(f"array {name!r} has {len(shape)} dimensions")
    raw = np.frombuffer(bytes(told["data"]), np.uint8)
    if dtype == np.bool_ and raw.max(initial=0) > 1:
        raise _poisoned(f"array {name!r} is neither true nor false")
    try:
        return raw.view(dtype).reshape(shape)
    except (ValueError, TypeError, OverflowError):
        raise _poisoned(f"array {name!r} has not the shape that it says") from None


def _check_numbers(name: str, array: NDArray[Any], gaps: bool) -> None:
    if array.dtype.kind != "f":
        return
    wrong = np.isinf(array).any() if gaps else not np.isfinite(array).all()
    if wrong:
        raise _poisoned(f"array {name!r} has numbers that are not finite")
