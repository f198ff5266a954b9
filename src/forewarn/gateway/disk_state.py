"""What a refusal of the operating system says about the disk, as a named state."""

import errno
import os
from pathlib import Path
from typing import Final

from forewarn.domain.conditions import ConditionCode
from forewarn.kit.disk import write_refusal

_BY_NUMBER: Final = {
    errno.ENOSPC: ConditionCode.DISK_FULL,
    errno.EDQUOT: ConditionCode.DISK_FULL,
    errno.EROFS: ConditionCode.DISK_READ_ONLY,
}
# SQLite cannot even make the files beside its database in less.
_NOTHING_FREE: Final = 256 << 10


def condition_of(error: OSError) -> ConditionCode:
    """FAILED where it is none of the disk's."""
    return _BY_NUMBER.get(error.errno or 0, ConditionCode.FAILED)


def disk_state(directory: Path) -> ConditionCode | None:
    """How the disk below `directory`, or below the next folder above that is there, refuses; None if it does not, or
    not so that it can be seen. SQLite often says no more than that it cannot open a file."""
    for folder in (directory, *directory.absolute().parents):
        try:
            told = os.statvfs(folder)
        except OSError:
            continue
        if told.f_flag & os.ST_RDONLY:
            return ConditionCode.DISK_READ_ONLY
        if told.f_bavail * told.f_frsize < _NOTHING_FREE:
            return ConditionCode.DISK_FULL
        return _BY_NUMBER.get(write_refusal(folder) or 0)
    return None
