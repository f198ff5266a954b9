"""Connections to the catalog's database: how they are set up, begun and refused."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, OperationalError, StatementError

from forewarn.catalog.narrowing import set_scope
from forewarn.domain.access import ALL, Scope
from forewarn.domain.errors import ConfigurationError, InvalidInput, StorageFailed

_BUSY_MS: Final = 30_000
_WRITES: Final = "forewarn_writes"
_THEN: Final = "forewarn_then"
_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


def catalog_url(url: str) -> URL:
    """Checked URL with its driver filled in. Raises ConfigurationError."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        # Not told as it is: there may be a password in it.
        raise ConfigurationError(
            "the catalog's address (FOREWARN_DATABASE_URL) is no URL: write sqlite:////path/catalog.db or "
            "postgresql+psycopg://user@host/db"
        ) from None
    backend = parsed.get_backend_name()
    if backend not in _DRIVERS:
        raise ConfigurationError(f"catalog on {backend!r} is not supported: use sqlite or postgresql+psycopg")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigurationError("the catalog needs a file that several connections share: sqlite:////path/catalog.db")
    return parsed.set(drivername=_DRIVERS[backend])


def create_catalog_engine(url: URL) -> Engine:
    """Engine with the catalog's settings; connects to nothing yet, but makes the folder of a SQLite file."""
    options: dict[str, Any] = {"json_serializer": _json}
    if url.get_backend_name() == "sqlite":
        _make_folder(Path(str(url.database)).parent)
        engine = create_engine(url, connect_args={"timeout": _BUSY_MS / 1000}, **options)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(url, pool_pre_ping=True, **options)
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"the catalog's folder {folder} cannot be made: {error.strerror}") from error


def _json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"settings and specifications are kept as JSON: {error}") from error


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, DDL included
    for pragma in (
        f"busy_timeout = {_BUSY_MS}",
        "foreign_keys = ON",
        # FULL: an acknowledged alarm and a stage's offset outlive a power cut; NORMAL may lose the last commits.
        "synchronous = FULL",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _set_up_postgresql(connection: Any, _record: object) -> None:
    # Row-level security shows nothing to a connection that does not say what it may see (migration 0004).
    with connection.cursor() as cursor:
        cursor.execute("SET forewarn.scope = '*'")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer is refused when another wrote in between: writers say so at once and queue.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """Transactions on one engine, within a part of the plant. Thread-safe; a connection is one thread's for the
    length of a `with`."""

    def __init__(self, engine: Engine, scope: Scope = ALL) -> None:
        self.engine, self.scope = engine, scope
        self._writer = engine.execution_options(**{_WRITES: True})
        consistent = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._snapshots = engine.execution_options(**consistent)

    def within(self, scope: Scope) -> "Database":
        """The same database for somebody who may see `scope` only."""
        return Database(self.engine, scope)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view on SQLite, READ COMMITTED on PostgreSQL."""
        with _refusals(), self.engine.begin() as connection:
            set_scope(connection, self.scope)
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """To read one consistent view, however many questions are asked of it."""
        with _refusals(), self._snapshots.begin() as connection:
            set_scope(connection, self.scope)
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Commits at the end, then does what was asked for with `after_commit`; rolls back on any exception. SQLite
        admits one writer at a time."""
        then: list[Callable[[], None]] = []
        with _refusals(), self._writer.begin() as connection:
            connection.execution_options(**{_THEN: then})
            set_scope(connection, self.scope)
            yield connection
        for call in then:
            call()

    def close(self) -> None:
        self.engine.dispose()


def after_commit(connection: Connection, call: Callable[[], None]) -> None:
    """Have `call` made when the transaction of `Database.write` is durable; never when it is rolled back."""
    connection.get_execution_options()[_THEN].append(call)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn the drivers' errors into ours. Raises StorageFailed and InvalidInput."""
    try:
        yield
    except DatabaseError as error:
        if isinstance(error, DataError):
            raise InvalidInput(f"the catalog cannot keep this: {_reason(error)}") from error
        if type(error) in (OperationalError, DatabaseError):
            raise StorageFailed(f"the catalog's database refused: {_reason(error)}; check disk and server") from error
        raise
    except (StatementError, UnicodeEncodeError, OverflowError) as error:
        raise InvalidInput(f"the catalog cannot keep this: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, StatementError) else error
    return str(cause).strip().partition("\n")[0]


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], keep: Sequence[str] = ()) -> None:
    """Insert rows, or update those whose primary key is there, all columns but `keep`."""
    key = [c.name for c in table.primary_key]
    upsert_by(connection, table, rows, key, keep)


def upsert_by(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], key: Sequence[str], keep: Sequence[str]
) -> None:
    """Insert rows, or update those with the same `key` (a unique constraint), all given columns but `keep`."""
    if not rows:
        return
    insert = sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
    changed = {name: insert.excluded[name] for name in rows[0] if name not in key and name not in keep}
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=changed), list(rows))


def finite(value: float | None) -> float | None:
    """A float as the database keeps it: NULL where there is no number."""
    return None if value is None or math.isnan(value) else value
