"""How the readings of a JSON body are written: learnt from the first, proven for all.

A serialiser writes every reading alike: the same names in the same order, the same spacing. So the bytes between two
commas are a fixed literal, a value and a fixed literal, and a column is read by comparing and cutting at offsets.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SPACE: Final = rb"[ \t\n\r]*"
_OPENING: Final = re.compile(rb'"readings"' + _SPACE + rb":" + _SPACE + rb"\[")
_BRACE: Final = re.compile(_SPACE + rb"\{")
_NEXT: Final = re.compile(rb"," + _SPACE + rb"\{")
_FIELD: Final = re.compile(
    _SPACE
    + rb'"(\w+)"'
    + _SPACE
    + rb":(?:"
    + _SPACE
    + rb'"([^"]*)"|'
    + _SPACE
    + rb'([^",{}\[\]\s]+))'
    + _SPACE
    + rb"([,}])"
)
_COMMA: Final = ord(",")
# The widest literal or word that is compared; as many zeros stand behind the body, so that a window may look past it.
WIDEST: Final = 64
NAMES: Final = frozenset({b"sensor_id", b"timestamp", b"value", b"quality"})

Offsets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Field:
    """One name of a reading: `before` and `after` are the literals between its value and the commas."""

    name: bytes
    before: bytes
    after: bytes
    first: tuple[int, int]
    quoted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A body with WIDEST zeros behind it. begin, end: the inside of the brackets of `readings`."""

    padded: bytes
    begin: int
    end: int

    def windows(self, at: Offsets, width: int) -> NDArray[np.uint64]:
        """uint64[len(at), width / 8]: `width` bytes from each offset. width: a multiple of 8."""
        return self._windows(at, width).view(np.uint64).reshape(len(at), width // 8)

    def _windows(self, at: Offsets, width: int) -> NDArray[np.void]:
        view: NDArray[np.void] = np.ndarray((len(self.padded) - width,), f"V{width}", self.padded, 0, (1,))
        return view[at]

    def bytes_at(self, at: Offsets) -> NDArray[np.uint8]:
        return np.frombuffer(self.padded, np.uint8)[at]

    def equal(self, at: Offsets, literal: bytes) -> NDArray[np.bool_]:
        """bool[len(at)]: where `literal` (1 to WIDEST bytes) stands."""
        equal: NDArray[np.bool_] = self._windows(at, len(literal)) == np.frombuffer(literal, f"V{len(literal)}")
        return equal

    def alike(self, at: Offsets, literal: bytes) -> bool:
        """Whether `literal` stands at every offset."""
        return not literal or self._windows(at, len(literal)).tobytes() == literal * len(at)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Where the values of one field begin and end, a row each."""

    field: Field
    start: Offsets
    end: Offsets


def text_of(body: bytes) -> Text | None:
    """None when `readings` is not to be found, or when text in it may be escaped."""
    opened = _OPENING.search(body)
    if opened is None or b"\\" in body:
        return None
    end = body.find(b"]", opened.end())
    return None if end < 0 else Text(body + bytes(WIDEST), opened.end(), end)


def cut(text: Text) -> tuple[bytes, dict[bytes, Cut]] | None:
    """The first reading as it stands, and the columns by name; None unless every reading is written as the first is."""
    if (learnt := _learn(text)) is None:
        return None
    first, fields = learnt
    inside = np.frombuffer(text.padded, np.uint8)[text.begin : text.end]
    commas = np.flatnonzero(inside == _COMMA) + text.begin
    k = len(fields)
    n, rest = divmod(len(commas) + 1, k)
    if rest:
        return None
    last = len(text.padded[text.begin : text.end].rstrip(b" \t\n\r")) + text.begin
    bounds = np.concatenate(([text.begin - 1], commas, [last]))
    left, right = bounds[:-1].reshape(n, k), bounds[1:].reshape(n, k)
    cuts = {}
    for f, field in enumerate(fields):
        column = Cut(field, left[:, f] + (1 + len(field.before)), right[:, f] - len(field.after))
        if f == 0:
            column.start[0] = field.first[0]
        if not _proven(text, column):
            return None
        cuts[field.name] = column
    return first, cuts


def _proven(text: Text, column: Cut) -> bool:
    """The first row taught the literals; all others must have them, with something between."""
    before, after = column.field.before, column.field.after
    if (column.end <= column.start).any() or not text.alike(column.end, after):
        return False
    return text.alike(column.start[1:] - len(before), before)


def _learn(text: Text) -> tuple[bytes, list[Field]] | None:
    """The fields of the first reading, and from the second how a reading follows another."""
    body = text.padded
    brace = _BRACE.match(body, text.begin, text.end)
    if brace is None:
        return None
    fields: list[Field] = []
    at, closed = brace.end(), False
    while not closed:
        found = _FIELD.match(body, at, text.end)
        if found is None or found.group(1) not in NAMES or len(fields) == len(NAMES):
            return None
        quoted = found.group(2) is not None
        start, end = found.span(2) if quoted else found.span(3)
        closed = found.group(4) == b"}"
        until = found.end() if closed else found.end() - 1
        fields.append(Field(found.group(1), body[at:start], body[end:until], (start, end), quoted))
        at = found.end()
    following = _NEXT.match(body, at, text.end)
    if following is None or not _sound(fields):
        return None
    first = fields[0]
    fields[0] = Field(first.name, following.group()[1:] + first.before, first.after, first.first, first.quoted)
    return body[brace.end() - 1 : at], fields


def _sound(fields: list[Field]) -> bool:
    names = [field.name for field in fields]
    short = all(len(field.before) + 8 < WIDEST and len(field.after) < WIDEST // 2 for field in fields)
    return short and len(set(names)) == len(names)
