"""Parquet from a bookmark on, in blocks, read by a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput
from forewarn.plugins.connectors.folder.block import Block, Bookmark
from forewarn.plugins.connectors.folder.settings import FolderSettings

_CHILD: Final = "forewarn.plugins.connectors.folder.parquet_child"
_TYPES: Final[dict[str, str]] = {"number": "f8", "whole": "i8", "utc": "M8[us]", "local": "M8[us]"}


class _Sent(msgspec.Struct):
    first: int
    columns: list[tuple[str, str, bytes | list[str]]]
    problem: str = ""


_decoder: Final = msgspec.msgpack.Decoder(_Sent)


def read_parquet(path: Path, settings: FolderSettings, start: Bookmark) -> Iterator[Block]:
    """Blocks of at most chunk_rows rows. Raises InvalidInput when the file, or the rest of it, cannot be read."""
    command = [sys.executable, "-m", _CHILD, str(path), str(start.rows), str(settings.chunk_rows)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        try:
            while sent := _next(child.stdout):
                if sent.problem:
                    raise InvalidInput(f"it is no readable Parquet file: {sent.problem}")
                yield _block(sent)
            if child.wait():
                raise InvalidInput("it is no readable Parquet file: the program that read it broke down over it")
        finally:
            child.kill()


def _next(pipe: IO[bytes]) -> _Sent | None:
    head = pipe.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "little")
    data = pipe.read(size)
    return _decoder.decode(data) if len(data) == size else None


def _block(sent: _Sent) -> Block:
    columns = {name: _array(kind, data) for name, kind, data in sent.columns}
    rows = len(next(iter(columns.values()))) if columns else 0
    lines = np.arange(sent.first + 1, sent.first + 1 + rows)
    zoned = frozenset(name for name, kind, _ in sent.columns if kind == "utc")
    return Block(columns, lines, [], Bookmark(sent.first + rows), zoned)


def _array(kind: str, data: bytes | list[str]) -> NDArray[Any]:
    return np.frombuffer(data, _TYPES[kind]) if isinstance(data, bytes) else np.array(data, np.str_)
