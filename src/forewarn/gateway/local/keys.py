"""Dense numbers for the signals of a gateway. They stand in its log and outbox, so none is ever reused.

They are kept twice: as a text file (key_file.py) and in the gateway's database. A new key is on both before any reading
bears it, first in the file; each is restored from the other."""

import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.alarms import AlarmRule
from forewarn.domain.assets import Plant, Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.gateway.local.database import Memory, Note
from forewarn.gateway.local.key_file import FILE, Copy, KeyFile, parsed

__all__ = ["FILE", "SignalKeys", "rules_with_keys"]
_FLOOR: Final = "last_key"
_PUT: Final = "INSERT OR REPLACE INTO signal_key VALUES (?, ?, ?)"


def _none() -> NDArray[np.int32]:
    return np.empty(0, np.int32)


class SignalKeys:
    """Raises StorageFailed where a copy cannot be written; what is lost or damaged is restored, and `note` is told."""

    def __init__(
        self,
        directory: Path,
        memory: Memory,
        note: Note = lambda code, text: None,
        used: Callable[[], NDArray[np.int32]] = _none,
    ) -> None:
        """used: every key that a buffered reading bears, asked only where the copies are not alike: it reads all."""
        self._file = KeyFile(directory)
        self._memory = memory
        self._note = note
        self._in_file: dict[int, str] = {}
        self._in_table: dict[int, str] = {}
        self._table_fault = False
        self._id_of: Mapping[int, str] = {}
        self._key_of: dict[str, int] = {}
        self._last = 0
        self._reconcile(used)
        memory.fill = self._fill

    def id_of(self) -> Mapping[int, str]:
        """Every key that was ever given; the same object until one is added."""
        return self._id_of

    def take(self, plant: Plant) -> tuple[Signal, ...]:
        """The plant's signals with their keys; new ones get the next."""
        new = dict.fromkeys(s.id for s in plant.signals if s.id not in self._key_of)
        if new:
            # What was written before a disk refused the rest is on one of them already.
            begun = {name: key for key, name in (self._in_file | self._in_table).items()}
            first = max(self._last, *begun.values(), 0) + 1
            fresh = dict(enumerate((name for name in new if name not in begun), first))
            self._write({**self._id_of, **{begun[name]: name for name in new if name in begun}, **fresh})
        return tuple(replace(signal, key=self._key_of[signal.id]) for signal in plant.signals)

    def _write(self, keys: Mapping[int, str]) -> None:
        """On both before it is used. After a failure each copy may have more than is used: the next try goes on."""
        if missing := {key: name for key, name in keys.items() if key not in self._in_file}:
            self._file.append(missing)
            self._in_file |= missing
        if missing := {key: name for key, name in keys.items() if key not in self._in_table}:
            with self._memory.write() as connection:
                connection.executemany(_PUT, _rows(missing))
            self._in_table |= missing
        self._use(keys)

    def _use(self, keys: Mapping[int, str]) -> None:
        self._id_of = dict(keys)
        self._key_of = {name: key for key, name in keys.items()}
        self._last = max(self._last, *keys, 0)

    def _fill(self, connection: sqlite3.Connection) -> None:
        """The database was damaged and begun anew while we run. Raises sqlite3.Error."""
        connection.executemany(_PUT, _rows(self._id_of))
        _keep_floor(connection, self._last)

    def _reconcile(self, used: Callable[[], NDArray[np.int32]]) -> None:
        copy = self._file.read()
        self._in_file = dict(copy.keys)
        self._in_table, self._last = self._read_table()
        whole = _merged(self._in_table, self._in_file)
        if self._in_file == self._in_table == whole and whole and not (copy.fault or self._table_fault):
            self._use(whole)
            return
        borne = used()
        self._last = max([self._last, *self._in_file, *self._in_table, *borne.tolist()])
        if whole or self._last or copy.fault or self._table_fault:
            text = self._told(copy, whole, borne)
            self._mend(copy, whole)
            if text:
                self._note(ConditionCode.BUFFER_DAMAGED, text)
        self._use(whole)

    def _read_table(self) -> tuple[dict[int, str], int]:
        """What is beyond doubt, and the floor."""
        with self._memory.read() as connection:
            rows = connection.execute("SELECT key, CAST(name AS BLOB), crc FROM signal_key").fetchall()
            floor = connection.execute("SELECT text FROM note WHERE name = ?", (_FLOOR,)).fetchone()
        lines = [(_line(key, name or b""), crc) for key, name, crc in rows]
        copy = parsed([line for line, crc in lines if zlib.crc32(line) == crc])
        self._table_fault = len(copy.keys) < len(rows)
        told = str(floor[0]) if floor is not None else ""
        return dict(copy.keys), int(told) if told.isascii() and told.isdecimal() and len(told) <= 10 else 0

    def _told(self, copy: Copy, whole: Mapping[int, str], borne: NDArray[np.int32]) -> str:
        """What happened, in words; '' for what is not worth a word: a kill between the two, a gateway that kept one
        copy only until now."""
        said = []
        if copy.fault:
            said.append(f"{copy.fault}; it was set aside, and restored from {self._memory.path.name}")
        elif not copy.is_there and self._in_table:
            said.append(f"{self._file.path} was gone; it was restored from {self._memory.path.name}")
        elif self._in_table.keys() - self._in_file.keys():
            said.append(f"{self._file.path} was cut short; it was completed from {self._memory.path.name}")
        if self._table_fault or (self._in_file and not self._in_table and self._memory.is_new):
            said.append(f"{self._memory.path} had lost signals' keys; they were restored from {FILE}")
        if wrong := [key for key, name in self._in_file.items() if whole.get(key) != name]:
            name = self._memory.path.name
            said.append(
                f"{FILE} and {name} did not agree on {len(wrong)} keys, the first {wrong[0]}: {name} is kept to"
            )
        if nameless := sorted(set(borne.tolist()) - whole.keys()):
            said.append(
                f"readings wait under {len(nameless)} keys that have lost their signals' names, the first "
                f"{nameless[0]}: the site will reject them; new signals get keys above {self._last}"
            )
        return ". ".join(said)

    def _mend(self, copy: Copy, whole: Mapping[int, str]) -> None:
        """Both hold `whole` and no more. The table first: the file may be the only one that has anything."""
        with self._memory.write() as connection:
            if self._table_fault:
                connection.execute("DELETE FROM signal_key")
            connection.executemany(_PUT, _rows(whole))
            _keep_floor(connection, self._last)
        self._in_table = dict(whole)
        if copy.fault or any(whole.get(key) != name for key, name in self._in_file.items()):
            self._file.replace(whole)
        elif missing_there := {key: name for key, name in whole.items() if key not in self._in_file}:
            self._file.append(missing_there)
        self._in_file = dict(whole)


def _merged(table: Mapping[int, str], file: Mapping[int, str]) -> dict[int, str]:
    """All of the table, and of the file what contradicts none of it. Where they disagree one of them is of another time
    or another machine, or was changed by a hand or a bad disk. Each row of the table bears a checksum, and it lies
    with the findings and offsets that speak of the same keys; a line of text whose byte was turned is still a line."""
    names = set(table.values())
    return {**{key: name for key, name in file.items() if key not in table and name not in names}, **table}


def _rows(keys: Mapping[int, str]) -> list[tuple[int, str, int]]:
    return [(key, name, zlib.crc32(_line(key, name.encode("utf-8")))) for key, name in keys.items()]


def _line(key: int, name: bytes) -> bytes:
    return b"%d\t%b" % (key, name)


def _keep_floor(connection: sqlite3.Connection, last: int) -> None:
    connection.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (_FLOOR, str(last)))


def rules_with_keys(rules: Sequence[AlarmRule], signals: Sequence[Signal]) -> list[AlarmRule]:
    key_of = {signal.id: signal.key for signal in signals}
    return [replace(rule, signal_key=key_of.get(rule.signal_id, 0)) for rule in rules]
