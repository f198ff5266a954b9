"""Which files are stored, and how far: a small file of JSON lines, one a step, each on the disk before the next."""

import errno
import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, StorageFailed
from forewarn.plugins.connectors.folder.block import Bookmark

_HEAD: Final = 4_096
_SPARE_LINES: Final = 1_000
_CONDITIONS: Final = {errno.ENOSPC: ConditionCode.DISK_FULL, errno.EROFS: ConditionCode.DISK_READ_ONLY}


class Seen(msgspec.Struct, frozen=True):
    """A file by its size, its time of change and a hash of its first `head_bytes` bytes. done: all of it is stored.
    problem: why it is not, and will not be until it changes or the source starts anew."""

    size: int
    changed_ns: int
    head: str
    head_bytes: int
    mark: Bookmark = Bookmark()
    done: bool = False
    problem: str = ""

    @property
    def settled(self) -> bool:
        return self.done or bool(self.problem)


class _Line(msgspec.Struct, array_like=True):
    name: str
    seen: Seen | None


_decoder: Final = msgspec.json.Decoder(_Line)


class FolderLedger:
    """Raises ConfigurationError when the file is not one of ours, StorageFailed when it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        try:
            self._files = _read(path)
        except OSError as error:
            raise StorageFailed(f"state_file {path} cannot be read: {error.strerror}") from error
        self._write_anew()  # now, so that a folder that cannot be written is told before anything is read

    def known(self, name: str) -> Seen | None:
        return self._files.get(name)

    def keep(self, name: str, seen: Seen | None) -> None:
        """Durable when it returns. None forgets the file."""
        if seen is None:
            self._files.pop(name, None)
        else:
            self._files[name] = seen
        if self._lines > 2 * len(self._files) + _SPARE_LINES:
            self._write_anew()
            return
        try:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(_Line(name, seen)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failed(error) from error
        self._lines += 1

    def forget_all_but(self, names: set[str]) -> None:
        for name in self._files.keys() - names:
            self.keep(name, None)

    def problems(self) -> list[str]:
        return [f"{name}: {seen.problem}" for name, seen in self._files.items() if seen.problem]

    def renamed_from(self, head: "Head", present: set[str]) -> Seen | None:
        """What is known of a file of this content under a name that is there no more."""
        for name, seen in self._files.items():
            if name not in present and seen.head_bytes and head.matches(seen):
                return seen
        return None

    def _write_anew(self) -> None:
        temporary = self._path.with_name(f"{self._path.name}.new")
        try:
            with temporary.open("wb") as file:
                file.writelines(msgspec.json.encode(_Line(*item)) + b"\n" for item in self._files.items())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._failed(error) from error
        self._lines = len(self._files)

    def _failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(
            f"state_file {self._path} cannot be written: {error.strerror}. Nothing is read meanwhile; name one where "
            "there is space and permission",
            condition=_CONDITIONS.get(error.errno or 0, ConditionCode.FAILED),
        )


def _read(path: Path) -> dict[str, Seen]:
    """Files with a problem are to be tried again: settings may have been corrected."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return {}
    files: dict[str, Seen] = {}
    for number, line in enumerate(lines, start=1):
        try:
            step = _decoder.decode(line)
        except msgspec.DecodeError as error:
            if number == len(lines) and not line.endswith(b"\n"):
                break  # the power failed while it was written
            raise ConfigurationError(
                f"{error}. Remove the file to have everything read again; what is stored already is not doubled",
                where=f"{path}:{number}",
            ) from None
        if step.seen is None:
            files.pop(step.name, None)
        else:
            files[step.name] = msgspec.structs.replace(step.seen, problem="")
    return files


class Head:
    """A file's size, time and beginning; the latter is read only when it is asked for. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        stat = path.stat()
        self.size, self.changed_ns = stat.st_size, stat.st_mtime_ns

    @cached_property
    def _bytes(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(_HEAD)

    def matches(self, seen: Seen) -> bool:
        """The file has grown since, at the most."""
        return self.size >= seen.mark.offset and _digest(self._bytes[: seen.head_bytes]) == seen.head

    def is_unchanged(self, seen: Seen) -> bool:
        return (self.size, self.changed_ns) == (seen.size, seen.changed_ns)

    def fresh(self) -> Seen:
        return Seen(self.size, self.changed_ns, _digest(self._bytes), len(self._bytes))

    def grown(self, seen: Seen) -> Seen:
        """The same file as it is now, stored as far as it was."""
        return msgspec.structs.replace(self.fresh(), mark=seen.mark)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
