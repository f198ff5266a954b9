"""Signal ids as fixed-width words, so that a column of ids is compared as one array."""

import threading
from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.api.telemetry_layout import WIDEST, Cut, Text
from forewarn.domain.signal_table import SignalTable

_REMEMBERED: Final = 256
_MAX_REMEMBERED_ROWS: Final = 20_000


class SensorWords:
    """Ids -> keys of one table. A gateway mostly sends the same signals in the same order, so its last keys are
    the guess, and comparing the guessed ids proves it; only rows that differ are looked up one by one."""

    def __init__(self, table: SignalTable) -> None:
        self.table = table
        ids = [b"" if s is None else s.id.encode() for s in table.signals]
        self._key_of = {word: key for key, word in enumerate(ids) if word}
        self._length = np.fromiter(map(len, ids), np.int64, len(ids))
        width = min(WIDEST, -(-int(self._length.max(initial=1)) // 8) * 8)
        self._width = width
        self._length[self._length > width] = -1
        self._word = np.array([word[:width] for word in ids], f"S{width}").view(f"V{width}")
        masks = [(b"\xff" * length).ljust(width, b"\0") for length in range(width + 1)]
        self._mask = np.frombuffer(b"".join(masks), f"V{width}")
        self._lock = threading.Lock()
        self._guesses: OrderedDict[tuple[str, int, bytes], NDArray[np.int32]] = OrderedDict()

    def keys(self, text: Text, column: Cut, gateway: str) -> NDArray[np.int32] | None:
        """int32[n]; None when an id is unknown."""
        n = len(column.start)
        name = (gateway, n, text.padded[column.start[0] : column.end[0]])
        guess = self._guesses.get(name)
        differing = np.arange(n) if guess is None else np.flatnonzero(self._differs(text, column, guess))
        if guess is not None and not len(differing):
            return guess
        keys = np.zeros(n, np.int32) if guess is None else guess.copy()
        starts, ends = column.start[differing].tolist(), column.end[differing].tolist()
        found = [self._key_of.get(text.padded[a:b], 0) for a, b in zip(starts, ends, strict=True)]
        keys[differing] = found
        if 0 in found:
            return None
        self._remember(name, keys)
        return keys

    def _differs(self, text: Text, column: Cut, guess: NDArray[np.int32]) -> NDArray[np.bool_]:
        length = column.end - column.start
        differs: NDArray[np.bool_] = length != self._length[guess]
        shape = (len(guess), self._width // 8)
        mask = self._mask[np.minimum(length, self._width)].view(np.uint64).reshape(shape)
        word = self._word[guess].view(np.uint64).reshape(shape)
        unlike = (text.windows(column.start, self._width) & mask) != word
        # Summing up row by row costs more than all before it, and mostly there is nothing to sum.
        return differs | unlike.any(axis=1) if unlike.any() else differs

    def _remember(self, name: tuple[str, int, bytes], keys: NDArray[np.int32]) -> None:
        if len(keys) > _MAX_REMEMBERED_ROWS:
            return
        keys.flags.writeable = False
        with self._lock:
            self._guesses[name] = keys
            if len(self._guesses) > _REMEMBERED:
                self._guesses.popitem(last=False)
