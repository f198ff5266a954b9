"""How far each stage has come."""

from sqlalchemy import Connection, select

from forewarn.catalog.engine import Database, upsert
from forewarn.catalog.tables import stage_offsets


class CatalogOffsets:
    """StageOffsets in the catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, stage: str) -> int:
        with self._database.read() as connection:
            return read_offset(connection, stage)

    def set(self, stage: str, offset: int) -> None:
        with self._database.write() as connection:
            write_offset(connection, stage, offset)


def read_offset(connection: Connection, stage: str) -> int:
    query = select(stage_offsets.c.log_offset).where(stage_offsets.c.stage == stage)
    return connection.execute(query).scalar() or 0


def write_offset(connection: Connection, stage: str, offset: int) -> None:
    upsert(connection, stage_offsets, [{"stage": stage, "log_offset": offset}])
