"""Dense numbers for the signals of a gateway. They stand in its log and outbox, so none is ever reused.

A text file, one `key<tab>id` a line, only ever added to: whatever else breaks, it can be read and mended by hand."""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from forewarn.domain.alarms import AlarmRule
from forewarn.domain.assets import Plant, Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed

FILE: Final = "signals.tsv"


class SignalKeys:
    """Raises StorageFailed where the file cannot be read or written, or contradicts itself."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._key_of = self._read()
        self._id_of = _turned(self._key_of)

    def id_of(self) -> Mapping[int, str]:
        """Every key that was ever given; the same object until one is added."""
        return self._id_of

    def take(self, plant: Plant) -> tuple[Signal, ...]:
        """The plant's signals with their keys; new ones get the next."""
        after = max(self._key_of.values(), default=0)
        new = [s.id for s in plant.signals if s.id not in self._key_of]
        added = {name: key for key, name in enumerate(new, after + 1)}
        if added:
            self._append("".join(f"{key}\t{name}\n" for name, key in added.items()))
            self._key_of |= added
            self._id_of = _turned(self._key_of)
        return tuple(replace(signal, key=self._key_of[signal.id]) for signal in plant.signals)

    def _append(self, lines: str) -> None:
        try:
            with self._path.open("ab", buffering=0) as file:
                whole = file.tell()
                try:
                    _write(file, lines.encode("utf-8"))
                    os.fsync(file.fileno())
                except OSError:
                    # Half a line would become one with what is added next.
                    file.truncate(whole)
                    raise
        except OSError as error:
            raise StorageFailed(f"{self._path} cannot be written: {error.strerror}") from error

    def _read(self) -> dict[str, int]:
        try:
            content = self._path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                # Cut short by a power loss while it was added to: no reading bears those keys yet.
                os.truncate(self._path, len(whole))
            lines = whole.decode("utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise self._damaged(f"cannot be read: {error}") from error
        return self._parse(lines)

    def _parse(self, lines: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        given: set[int] = set()
        for number, line in enumerate(lines, 1):
            key, _, name = line.partition("\t")
            if not key.isdecimal() or not name or int(key) in given or name in found:
                raise self._damaged(f"line {number} is wrong or repeats another: {line!r}")
            found[name] = int(key)
            given.add(int(key))
        return found

    def _damaged(self, what: str) -> StorageFailed:
        return StorageFailed(
            f"{self._path} {what}. It names the readings in this gateway's buffer: mend the line by hand, or restore "
            "the file from a backup",
            condition=ConditionCode.BUFFER_DAMAGED,
        )


def _turned(key_of: Mapping[str, int]) -> Mapping[int, str]:
    return {key: name for name, key in key_of.items()}


def _write(file: io.FileIO, text: bytes) -> None:
    """All of it; what does not fit any more is refused at the second try."""
    while text:
        text = text[file.write(text) :]


def rules_with_keys(rules: Sequence[AlarmRule], signals: Sequence[Signal]) -> list[AlarmRule]:
    key_of = {signal.id: signal.key for signal in signals}
    return [replace(rule, signal_key=key_of.get(rule.signal_id, 0)) for rule in rules]
