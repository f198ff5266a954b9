"""Every catalog test runs on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forewarn.catalog import Catalog, open_catalog
from tests.postgres_server import postgres_server

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives the address of a new empty database at each call."""
    if request.param == "sqlite":
        names = iter(range(1_000_000))
        return lambda: f"sqlite:///{tmp_path}/{next(names)}/catalog.db"
    server = request.getfixturevalue("postgres_server")
    return lambda: str(server.url())


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with open_catalog(url, now=lambda: 1_000) as opened:
        yield opened
