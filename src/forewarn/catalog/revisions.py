"""Numbers that say whether something changed: a short question, asked often, in place of reading everything."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Table, Text, select
from sqlalchemy.dialects import postgresql, sqlite

from forewarn.catalog.engine import Database
from forewarn.catalog.tables import metadata, required

MODELS: Final = "models"  # versions, champions, rollouts
FEEDBACK: Final = "feedback"  # what people said of findings

revisions = Table("revisions", metadata, Column("noun", Text, primary_key=True), required("number", BigInteger))


def changed(connection: Connection, noun: str) -> None:
    """Within the transaction that changes it: who reads the new number reads what it stands for."""
    insert = sqlite.insert(revisions) if connection.dialect.name == "sqlite" else postgresql.insert(revisions)
    first = insert.values(noun=noun, number=1)
    next_ = {"number": revisions.c.number + 1}
    connection.execute(first.on_conflict_do_update(index_elements=["noun"], set_=next_))


class CatalogRevisions:
    """Any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Mapping[str, int]:
        """By noun; what never changed is not there. Raises StorageFailed."""
        with self._database.read() as connection:
            return {row.noun: row.number for row in connection.execute(select(revisions))}
