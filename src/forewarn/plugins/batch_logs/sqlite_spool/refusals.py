"""What an error of SQLite says about the disk, as a named state."""

import errno
import sqlite3
from pathlib import Path
from typing import Final

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.kit.disk import write_refusal

_BY_CODE: Final = {
    sqlite3.SQLITE_FULL: ConditionCode.DISK_FULL,
    sqlite3.SQLITE_READONLY: ConditionCode.DISK_READ_ONLY,
    sqlite3.SQLITE_CORRUPT: ConditionCode.BUFFER_DAMAGED,
    sqlite3.SQLITE_NOTADB: ConditionCode.BUFFER_DAMAGED,
}
_UNSAID: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_BY_NUMBER: Final = {
    errno.ENOSPC: ConditionCode.DISK_FULL,
    errno.EDQUOT: ConditionCode.DISK_FULL,
    errno.EROFS: ConditionCode.DISK_READ_ONLY,
}


def condition_of(error: Exception, directory: Path) -> ConditionCode:
    """FAILED where nothing more is known. directory: the log's; where SQLite does not say why, its disk is asked."""
    if isinstance(error, StorageFailed):
        return error.condition
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _UNSAID:
        return _BY_NUMBER.get(write_refusal(directory) or 0, ConditionCode.FAILED)
    return ConditionCode.FAILED if code is None else _BY_CODE.get(code & 0xFF, ConditionCode.FAILED)
