"""Opening: upgrade under contention, refusals, what the migrations build."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from forewarn.catalog import open_catalog
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.tables import metadata
from forewarn.domain.errors import ConfigurationError, StorageFailed

_OPEN = """
import sys
from forewarn.catalog import open_catalog
sys.stdin.readline()
with open_catalog(sys.argv[1]) as catalog:
    catalog.offsets.set(sys.argv[2], 7)
    print(catalog.plant.revision())
"""


def test_reopening_finds_what_was_written(url: str) -> None:
    with open_catalog(url) as catalog:
        catalog.offsets.set("judge", 12)
    with open_catalog(url) as catalog:
        assert catalog.offsets.get("judge") == 12
        assert catalog.offsets.get("mirror") == 0
        assert url.startswith(catalog.backend)
        catalog.ping()


def test_migrations_build_what_the_tables_say(url: str) -> None:
    open_catalog(url).close()
    database = Database(create_catalog_engine(catalog_url(url)))
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_processes_that_open_a_new_catalog_at_once(url: str) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", _OPEN, url, f"stage-{i}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(3)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        out, err = opener.communicate(timeout=120)
        assert (opener.returncode, out.strip()) == (0, "0"), err
    with open_catalog(url) as catalog:
        assert [catalog.offsets.get(f"stage-{i}") for i in range(3)] == [7, 7, 7]


def test_threads_that_open_a_new_catalog_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for catalog in list(pool.map(open_catalog, [url] * 4)):
            assert catalog.plant.revision() == 0
            catalog.close()


def test_a_newer_catalog_is_refused(url: str) -> None:
    open_catalog(url).close()
    database = Database(create_catalog_engine(catalog_url(url)))
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(ConfigurationError, match=r"revision '9999'.*newer version"):
        open_catalog(url)


@pytest.mark.parametrize("bad", ["not a url", "mysql://h/d", "sqlite://", "sqlite:///:memory:"])
def test_bad_addresses_are_refused(bad: str) -> None:
    with pytest.raises(ConfigurationError):
        open_catalog(bad)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"certainly no database" * 1000)
    with pytest.raises(StorageFailed, match="not a database"):
        open_catalog(f"sqlite:///{tmp_path}/catalog.db")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed, match="cannot be made"):
        open_catalog(f"sqlite:///{tmp_path}/file/catalog.db")


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(StorageFailed, match="refused"):
        open_catalog("postgresql://nobody@127.0.0.1:1/none")


def test_the_file_is_durable_and_checked(tmp_path: Path) -> None:
    open_catalog(f"sqlite:///{tmp_path}/c.db").close()
    database = Database(create_catalog_engine(catalog_url(f"sqlite:///{tmp_path}/c.db")))
    with database.read() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    database.close()
    assert settings == ["wal", 2, 1, 30_000]
