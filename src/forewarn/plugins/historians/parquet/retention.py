"""Which files are past their age."""

from collections.abc import Iterable

from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet.manifest import PARTITION_US, FileEntry, Inventory, Kind
from forewarn.plugins.historians.parquet.rows import take


def expired(inventory: Inventory, raw_before: int, rollups_before: int) -> list[FileEntry]:
    """Files of folders that end at or before their limit, microseconds UTC. A folder goes whole or not at all: a
    reading that counts in one of its files may be corrected in another."""
    return list(_expired(inventory, {Kind.RAW: raw_before, Kind.MINUTE: rollups_before, Kind.HOUR: rollups_before}))


def _expired(inventory: Inventory, before: dict[Kind, int]) -> Iterable[FileEntry]:
    for (kind, partition), entries in inventory.files.items():
        if partition + PARTITION_US[kind] <= before[kind]:
            yield from entries


def whole_hours(before: int) -> int:
    """`before` as far as raw folders can follow it."""
    width = PARTITION_US[Kind.RAW]
    return before // width * width


def young(rows: Series, oldest: int) -> Series:
    """Rows not older than `oldest`."""
    kept = rows.time >= oldest
    return rows if kept.all() else take(rows, kept)
