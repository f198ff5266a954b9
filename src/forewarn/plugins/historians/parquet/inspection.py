"""What lies in a historian's directory, and whether it is as written; nothing is changed, a writer may be at work."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from forewarn.domain.errors import StorageFailed
from forewarn.plugins.historians.parquet.manifest import FORMAT, NAME, READABLE
from forewarn.plugins.historians.parquet.sorted_file import SegmentDamaged, SortedFile


@dataclass(frozen=True, slots=True)
class HistorianFacts:
    """watermark: the log offset up to which everything is in files. damage: one sentence a file that is missing or not
    as written (its size and footer are looked at, not its pages)."""

    files: int
    bytes: int
    readings: int
    watermark: int
    damage: tuple[str, ...]


def examine(directory: Path) -> HistorianFacts | None:
    """None when there is no historian. Raises StorageFailed when its manifest cannot be read."""
    if not (directory / NAME).is_file():
        return None
    before = _listed(directory)
    damaged = {path: said for path, size, crc, _, _ in before[1] if (said := _damage(directory / path, size, crc))}
    # What was merged away while we looked is no longer listed.
    watermark, files = _listed(directory) if damaged else before
    still = tuple(said for path, *_ in files if (said := damaged.get(path)))
    readings = sum(rows for *_, rows, kind in files if kind == "raw")
    return HistorianFacts(len(files), sum(size for _, size, *_ in files), readings, watermark, still)


def _listed(directory: Path) -> tuple[int, list[tuple[str, int, int, int, str]]]:
    # Opened for writing and forbidden to write: a read-only connection would leave SQLite's side files behind.
    uri = f"{(directory / NAME).absolute().as_uri()}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("PRAGMA query_only=ON")
            state = connection.execute("SELECT format, watermark FROM state").fetchone()
            files = connection.execute("SELECT path, bytes, footer_crc, rows, kind FROM file").fetchall()
    except sqlite3.Error as error:
        raise StorageFailed(f"cannot read the historian's manifest {directory / NAME}: {error}") from error
    if state is None or state[0] not in READABLE:
        raise StorageFailed(f"{directory / NAME} has format {state and state[0]}, this version reads {FORMAT}")
    return int(state[1]), files


def _damage(path: Path, size: int, footer_crc: int) -> str | None:
    try:
        SortedFile(path, size, footer_crc)
    except FileNotFoundError:
        return f"{path} is missing, though the manifest lists it"
    except (SegmentDamaged, OSError) as error:
        return str(error)
    return None
