"""The signals' keys as a text file: one `key<tab>id` a line, so that it can be read whatever else breaks."""

import io
import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from forewarn.domain.errors import StorageFailed
from forewarn.gateway.disk_state import condition_of
from forewarn.kit.disk import sync_directory

FILE: Final = "signals.tsv"


@dataclass(frozen=True, slots=True)
class Copy:
    """keys: those that are beyond doubt: no key and no id twice. fault: what is wrong with it, '' where nothing is.
    is_there: False where there is no such file."""

    keys: Mapping[int, str]
    fault: str = ""
    is_there: bool = True


class KeyFile:
    """Only ever added to, or replaced as a whole. Raises StorageFailed where it cannot be written."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE

    def read(self, *, mend: bool = True) -> Copy:
        """A line without an end was being added when power was lost: no reading bears its key yet. mend: take it out;
        for whoever holds the directory."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Copy({}, is_there=False)
        except OSError as error:
            return Copy({}, f"{self.path} cannot be read ({error.strerror})")
        whole = content[: content.rfind(b"\n") + 1]
        copy = parsed(whole.split(b"\n")[:-1], str(self.path))
        if mend and len(whole) < len(content) and not copy.fault:
            try:
                os.truncate(self.path, len(whole))
            except OSError as error:
                raise self._refused(error) from error
        return copy

    def append(self, keys: Mapping[int, str]) -> None:
        try:
            with self.path.open("ab", buffering=0) as file:
                whole = file.tell()
                try:
                    _write(file, _lines(keys))
                    os.fsync(file.fileno())
                except OSError:
                    # Half a line would become one with what is added next.
                    file.truncate(whole)
                    raise
            sync_directory(self.path.parent)
        except OSError as error:
            raise self._refused(error) from error

    def replace(self, keys: Mapping[int, str]) -> Path | None:
        """Where what was there lies now. At every moment there is one of the two, whole."""
        aside = self.path.with_name(f"{FILE}.damaged-{time.time_ns() // 1_000_000}")
        half = self.path.with_name(f"{FILE}.new")
        try:
            with half.open("wb", buffering=0) as file:
                _write(file, _lines(keys))
                os.fsync(file.fileno())
            was_there = self.path.exists()
            if was_there:
                try:
                    shutil.copyfile(self.path, aside)
                except OSError:
                    self.path.rename(aside)
            half.rename(self.path)
            sync_directory(self.path.parent)
        except OSError as error:
            raise self._refused(error) from error
        return aside if was_there else None

    def _refused(self, error: OSError) -> StorageFailed:
        return StorageFailed(
            f"{self.path} cannot be written: {error.strerror or error}. Check free space and the state of the disk",
            condition=condition_of(error),
        )


def parsed(lines: Sequence[bytes], where: str = "") -> Copy:
    """Lines that say a key or an id a second time are all in doubt: better no name than a wrong one."""
    pairs = [_pair(line) for line in lines]
    keys = Counter(pair[0] for pair in pairs if pair is not None)
    names = Counter(pair[1] for pair in pairs if pair is not None)
    good = {pair[0]: pair[1] for pair in pairs if pair is not None and keys[pair[0]] == names[pair[1]] == 1}
    doubtful = [number for number, pair in enumerate(pairs, 1) if pair is None or pair[0] not in good]
    if not doubtful:
        return Copy(good)
    more = f" and {len(doubtful) - 1} more" if len(doubtful) > 1 else ""
    return Copy(good, f"{where}: line {doubtful[0]}{more} is wrong or repeats another")


def _pair(line: bytes) -> tuple[int, str] | None:
    try:
        key, _, name = line.decode("utf-8").partition("\t")
    except UnicodeDecodeError:
        return None
    # A column of int32; what is longer is no key of ours.
    if not (key.isascii() and key.isdecimal() and len(key) <= 10 and 0 < int(key) < 2**31) or not name:
        return None
    return int(key), name


def _lines(keys: Mapping[int, str]) -> bytes:
    return "".join(f"{key}\t{keys[key]}\n" for key in sorted(keys)).encode("utf-8")


def _write(file: io.FileIO, text: bytes) -> None:
    """All of it; what does not fit any more is refused at the second try."""
    while text:
        text = text[file.write(text) :]
