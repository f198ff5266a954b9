"""Signal ids as fixed-width words, so that a column of ids is compared as one array."""

import re
import threading
from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.api.telemetry_layout import WIDEST, Cut, Text
from forewarn.domain.signal_table import SignalTable

_MOST_GUESSES: Final = 4_096
_MOST_ROWS: Final = 1_000_000
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_Name = tuple[str, int, bytes]


class SensorWords:
    """Ids -> keys of one table. A gateway mostly sends the same signals in the same order, so its last keys are
    the guess, and comparing the guessed ids proves it; only rows that differ are looked up one by one."""

    def __init__(self, table: SignalTable) -> None:
        self.table = table
        ids = [b"" if s is None else s.id.encode() for s in table.signals]
        self._key_of = {word: key for key, word in enumerate(ids) if word and _plain(word)}
        self._length = np.fromiter(map(len, ids), np.int64, len(ids))
        width = min(WIDEST, -(-int(self._length.max(initial=1)) // 8) * 8)
        self._width = width
        self._length[self._length > width] = -1
        self._word = np.array([word[:width] for word in ids], f"S{width}").view(f"V{width}")
        masks = [(b"\xff" * length).ljust(width, b"\0") for length in range(width + 1)]
        self._mask = np.frombuffer(b"".join(masks), f"V{width}")
        self._lock = threading.Lock()
        self._guesses: OrderedDict[_Name, NDArray[np.int32]] = OrderedDict()
        self._rows = 0

    def keys(self, text: Text, column: Cut, gateway: str) -> NDArray[np.int32] | None:
        """int32[n], 0 where the id is unknown; None when one is no text that JSON allows unescaped."""
        n = len(column.start)
        name = (gateway, n, text.padded[column.start[0] : column.end[0]])
        guess = self._guess(name)
        differing = np.arange(n) if guess is None else np.flatnonzero(self._differs(text, column, guess))
        if guess is not None and not len(differing):
            return guess
        keys = np.zeros(n, np.int32) if guess is None else guess.copy()
        starts, ends = column.start[differing].tolist(), column.end[differing].tolist()
        given = [text.padded[a:b] for a, b in zip(starts, ends, strict=True)]
        found = [self._key_of.get(word, 0) for word in given]
        if 0 in found and not all(map(_plain, (word for word, key in zip(given, found, strict=True) if not key))):
            return None
        keys[differing] = found
        # Unknown ids are looked up each time; what else is as it was need not be remembered again.
        if guess is None or any(found):
            self._remember(name, keys)
        return keys

    def _guess(self, name: _Name) -> NDArray[np.int32] | None:
        with self._lock:
            guess = self._guesses.get(name)
            if guess is not None:
                self._guesses.move_to_end(name)
        return guess

    def _differs(self, text: Text, column: Cut, guess: NDArray[np.int32]) -> NDArray[np.bool_]:
        length = column.end - column.start
        differs: NDArray[np.bool_] = length != self._length[guess]
        shape = (len(guess), self._width // 8)
        mask = self._mask[np.minimum(length, self._width)].view(np.uint64).reshape(shape)
        word = self._word[guess].view(np.uint64).reshape(shape)
        unlike = (text.windows(column.start, self._width) & mask) != word
        # Summing up row by row costs more than all before it, and mostly there is nothing to sum.
        return differs | unlike.any(axis=1) if unlike.any() else differs

    def _remember(self, name: _Name, keys: NDArray[np.int32]) -> None:
        keys.flags.writeable = False
        with self._lock:
            known = self._guesses.pop(name, None)
            self._rows += len(keys) - (0 if known is None else len(known))
            self._guesses[name] = keys
            while self._rows > _MOST_ROWS or len(self._guesses) > _MOST_GUESSES:
                self._rows -= len(self._guesses.popitem(last=False)[1])


def _plain(word: bytes) -> bool:
    """Text that stands in JSON as it is. Raises UnicodeDecodeError."""
    return b'"' not in word and (word.isalnum() or not _CONTROL.search(word.decode()))
