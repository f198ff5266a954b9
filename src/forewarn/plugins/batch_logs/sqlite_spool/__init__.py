"""The embedded batch log and outbox: SQLite carries the crash logic, Arrow IPC the columns."""

from forewarn.plugins.batch_logs.sqlite_spool.anew import begin_anew
from forewarn.plugins.batch_logs.sqlite_spool.frame import FrameDamaged
from forewarn.plugins.batch_logs.sqlite_spool.spool import SqliteSpool

BATCH_LOG = SqliteSpool

__all__ = ["BATCH_LOG", "FrameDamaged", "SqliteSpool", "begin_anew"]
