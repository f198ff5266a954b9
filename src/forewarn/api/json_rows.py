"""Columns straight to a JSON array of objects: no Python object per row."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from forewarn.api.times import text_of

_NUMBERS: Final = orjson.OPT_SERIALIZE_NUMPY
_TIMES: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
# What orjson takes as a numpy instant.
_FIRST_US: Final = -62_135_596_800_000_000
_AFTER_US: Final = 253_370_764_800_000_000


def rows_json(fields: Mapping[str, list[bytes]]) -> orjson.Fragment:
    """[{name: value, ...}, ...] of the columns' encoded values, all of one length."""
    rows = len(next(iter(fields.values())))
    if not rows:
        return orjson.Fragment(b"[]")
    step = 2 * len(fields)
    pieces = [b""] * (step * rows)
    for at, (name, values) in enumerate(fields.items()):
        before = b"," if at else b"},{"
        pieces[2 * at :: step] = [before + orjson.dumps(name) + b":"] * rows
        pieces[2 * at + 1 :: step] = values
    pieces[0] = b"[{" + pieces[0].removeprefix(b"},{")
    pieces.append(b"}]")
    return orjson.Fragment(b"".join(pieces))


def numbers(column: NDArray[Any]) -> list[bytes]:
    """NaN and infinite become null."""
    return _split(orjson.dumps(np.ascontiguousarray(column), option=_NUMBERS))


def instants(us: NDArray[np.int64]) -> list[bytes]:
    """RFC 3339 as `text_of` writes it."""
    if len(us) and (us.min() < _FIRST_US or us.max() >= _AFTER_US):
        return [orjson.dumps(text_of(at)) for at in us.tolist()]
    return _split(orjson.dumps(np.ascontiguousarray(us).view("datetime64[us]"), option=_TIMES))


def named(codes: NDArray[np.uint32], name_of: Callable[[int], str]) -> list[bytes]:
    """Each code's name; of few different codes."""
    if len(codes) and (codes == codes[0]).all():
        return [orjson.dumps(name_of(int(codes[0])))] * len(codes)
    different, which = np.unique(codes, return_inverse=True)
    names = [orjson.dumps(name_of(code)) for code in different.tolist()]
    return [names[at] for at in which.tolist()]


def _split(array: bytes) -> list[bytes]:
    return array[1:-1].split(b",") if len(array) > 2 else []
