"""What an error of SQLite says about the disk, as a named state."""

import sqlite3
from typing import Final

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed

_BY_CODE: Final = {
    sqlite3.SQLITE_FULL: ConditionCode.DISK_FULL,
    sqlite3.SQLITE_READONLY: ConditionCode.DISK_READ_ONLY,
    sqlite3.SQLITE_CORRUPT: ConditionCode.BUFFER_DAMAGED,
    sqlite3.SQLITE_NOTADB: ConditionCode.BUFFER_DAMAGED,
}


def condition_of(error: Exception) -> ConditionCode:
    """FAILED where nothing more is known."""
    if isinstance(error, StorageFailed):
        return error.condition
    code = getattr(error, "sqlite_errorcode", None)
    return ConditionCode.FAILED if code is None else _BY_CODE.get(code & 0xFF, ConditionCode.FAILED)
