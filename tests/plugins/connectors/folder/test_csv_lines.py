"""Whatever bytes a CSV file holds: rows, reasons, and never a line unaccounted for."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.errors import InvalidInput
from forewarn.plugins.connectors.folder.block import Bookmark
from forewarn.plugins.connectors.folder.csv_lines import read_csv
from forewarn.plugins.connectors.folder.meaning import Meaning
from forewarn.plugins.connectors.folder.settings import FolderSettings
from tests.plugins.connectors.recording import signals_at

WORDS = (b"time", b"temp", b"1769846400", b"2026-01-31", b"1.5", b"nan", b"-", b" ")
SIGNS = (b",", b",", b",", b";", b'"', b"\n", b"\n", b"\r\n", b"\xff", b"\x00")
pieces = st.sampled_from(WORDS + SIGNS)
files = st.lists(pieces, max_size=60).map(b"".join)
HEADED = files.map(lambda body: b"time,temp\n" + body)


def read(data: bytes, chunk_rows: int, start: Bookmark | None = None) -> tuple[list[tuple[int, float]], set[int], int]:
    """Readings (time, value), lines told, lines read."""
    settings = FolderSettings(path=Path("/nowhere"), chunk_rows=chunk_rows)
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(data)
        file.flush()
        meaning = Meaning("a.csv", settings, signals_at("temp"), Bookmark())
        rows: list[tuple[int, float]] = []
        told: set[int] = set()
        last = 0
        for block in read_csv(Path(file.name), settings, start or Bookmark(), ended=True):
            (signal, time, value, quality), complaints = meaning.readings(block)
            assert len(signal) == len(time) == len(value) == len(quality)
            assert (np.isnan(value) == (quality >> 31 == 1)).all()
            rows += zip(time.tolist(), np.nan_to_num(value, nan=-1.0).tolist(), strict=True)
            told |= {complaint.line for complaint in complaints}
            last = block.after.rows
    return rows, told, last


@given(files | st.binary(max_size=80) | HEADED, st.integers(1, 5))
def test_any_bytes_bring_rows_or_reasons(data: bytes, chunk_rows: int) -> None:
    with contextlib.suppress(InvalidInput):
        read(data, chunk_rows)


@given(HEADED, st.integers(1, 5))
def test_every_line_is_a_row_is_told_or_is_empty(data: bytes, chunk_rows: int) -> None:
    rows, told, last = read(data, chunk_rows)
    lines = data.split(b"\n")
    lines = lines[:-1] if lines[-1] == b"" else lines
    filled = [line for line in lines[1:] if line.strip(b"\r\n")]
    assert len(rows) + len(told) == len(filled)
    assert last == len(lines) or not filled


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30), st.integers(1, 7), st.integers(0, 30))
def test_a_bookmark_goes_on_where_it_was_set(values: list[float], chunk_rows: int, cut: int) -> None:
    data = b"time,temp\n" + b"".join(f"{1_769_846_400 + i},{v!r}\n".encode() for i, v in enumerate(values))
    whole, told, _ = read(data, chunk_rows)
    assert [value for _, value in whole] == values
    assert told == set()
    cut = min(cut, len(values))
    offset = sum(len(line) + 1 for line in data.split(b"\n")[: cut + 1])
    rest, _, _ = read(data, chunk_rows, Bookmark(cut + 1, offset))
    assert rest == whole[cut:]
