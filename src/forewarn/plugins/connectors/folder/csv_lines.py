"""CSV from a bookmark on, in blocks. A wrong line is told and left out; the others are taken."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from forewarn.domain.errors import InvalidInput
from forewarn.plugins.connectors.folder.block import Block, Bookmark, Complaint
from forewarn.plugins.connectors.folder.settings import FolderSettings

_DELIMITERS: Final = ",;\t|"
_LONGEST_LINE: Final = 1_000_000
_LONGEST_FIELD: Final = 120
_MOST_FIELDS: Final = 200_000


def read_csv(path: Path, settings: FolderSettings, start: Bookmark, ended: bool) -> Iterator[Block]:
    """Blocks of at most chunk_rows lines. ended: nobody writes the file any more, so that its last line counts even
    without a line end. Raises InvalidInput when nothing of the file can be used, OSError."""
    with path.open("rb") as file:
        header = _Header(file, settings, ended)
        if not header.names:
            return
        if start.rows < header.lines:
            start = Bookmark(header.lines, header.bytes)
        file.seek(start.offset)
        most = max(1, min(settings.chunk_rows, _MOST_FIELDS // len(header.names)))
        while lines := _some_lines(file, most, ended):
            start = Bookmark(start.rows + len(lines), start.offset + sum(map(len, lines)))
            yield _block(lines, header, settings, start)


class _Header:
    """names: of the columns; none while the file does not hold them yet. lines, bytes: what stands before the rows."""

    def __init__(self, file: BinaryIO, settings: FolderSettings, ended: bool) -> None:
        wanted = settings.skip_lines + (0 if settings.names else 1)
        lines = _some_lines(file, wanted, ended) if wanted else []
        self.lines, self.bytes = len(lines), sum(map(len, lines))
        self.names: Sequence[str] = ()
        self.delimiter: str = settings.delimiter
        if len(lines) < wanted:
            return
        first = lines[-1] if not settings.names else (_some_lines(file, 1, ended) or [b""])[0]
        text = _text(first, settings).removeprefix("\ufeff")
        if self.delimiter == "auto":
            known = _DELIMITERS if settings.decimal == "." else ";\t|"
            self.delimiter = max(known, key=text.count)
        found = _row(text, self.delimiter)
        self.names = settings.names or [name.strip() for name in found]
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise InvalidInput(f"line {self.lines}: two columns are called {min(twice)!r}: rename one of them")


def _some_lines(file: BinaryIO, most: int, ended: bool) -> list[bytes]:
    """Complete lines from where the file stands. Raises InvalidInput for a line without end."""
    lines: list[bytes] = []
    while len(lines) < most:
        line = file.readline(_LONGEST_LINE)
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            raise InvalidInput(f"a line is longer than {_LONGEST_LINE} bytes: this is no CSV file")
        if not line.endswith(b"\n") and not (line and ended):
            break
        lines.append(line)
    return lines


def _text(line: bytes, settings: FolderSettings) -> str:
    """Bytes that are no text in this encoding become a sign that no number and no name holds."""
    return line.decode(settings.encoding, "replace").rstrip("\r\n")


def _block(lines: Sequence[bytes], header: _Header, settings: FolderSettings, after: Bookmark) -> Block:
    first, width = after.rows - len(lines) + 1, len(header.names)
    complaints: list[Complaint] = []
    rows: list[list[str]] = []
    numbers: list[int] = []
    for number, row in enumerate(_fields(lines, header.delimiter, settings), start=first):
        if len(row) == width and max(map(len, row)) <= _LONGEST_FIELD:
            rows.append(row)
            numbers.append(number)
        elif row:  # an empty line says nothing and nobody misses it
            why = f"has {len(row)} fields, and {width} are named" if len(row) != width else "holds a field too long"
            complaints.append(Complaint(number, why))
    columns = zip(*rows, strict=True) if rows else [()] * width
    texts = {
        name: np.char.strip(np.array(column, dtype=np.str_)) for name, column in zip(header.names, columns, strict=True)
    }
    return Block(texts, np.array(numbers, np.int64), complaints, after)


def _fields(lines: Sequence[bytes], delimiter: str, settings: FolderSettings) -> list[list[str]]:
    texts = [_text(line, settings) for line in lines]
    try:
        rows = list(csv.reader(texts, delimiter=delimiter))
    except csv.Error:
        rows = []
    # A quote that is not closed swallows the lines after it: then each line for itself.
    return rows if len(rows) == len(texts) else [_row(text, delimiter) for text in texts]


def _row(text: str, delimiter: str) -> list[str]:
    """One line for itself; as a single field when its quotes do not match."""
    try:
        return next(csv.reader([text], delimiter=delimiter), []) if text.count('"') % 2 == 0 else [text]
    except csv.Error:
        return [text]
