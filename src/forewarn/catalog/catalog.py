"""The relational store, opened."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from forewarn.catalog.alarms import CatalogAlarms
from forewarn.catalog.anomalies import CatalogAnomalies
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.offsets import CatalogOffsets
from forewarn.catalog.plant import CatalogPlant
from forewarn.catalog.upgrade import upgrade
from forewarn.contracts.alarm_store import AlarmStore
from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.offsets import StageOffsets
from forewarn.contracts.plant_store import PlantStore
from forewarn.kit.clock import now_us


class Catalog:
    """The stores of one database. Thread-safe; several processes may have the same one open."""

    plant: PlantStore
    anomalies: AnomalyStore
    alarms: AlarmStore
    offsets: StageOffsets

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self.plant = CatalogPlant(database, now)
        self.anomalies = CatalogAnomalies(database, now)
        self.alarms = CatalogAlarms(database)
        self.offsets = CatalogOffsets(database)

    @property
    def backend(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._database.engine.dialect.name

    def ping(self) -> None:
        """Ask the database for nothing much. Raises StorageFailed when it does not answer."""
        with self._database.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """Idempotent."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_catalog(url: str, now: Callable[[], int] = now_us) -> Catalog:
    """Open `sqlite:////path/catalog.db` or `postgresql+psycopg://...`, its schema brought up to date first.

    now: microseconds UTC, for created_at and the like. Raises ConfigurationError (bad URL, database made by a newer
    Forewarn) and StorageFailed (unreachable, read-only, not a database).
    """
    database = Database(create_catalog_engine(catalog_url(url)))
    try:
        upgrade(database)
    except BaseException:
        database.close()
        raise
    return Catalog(database, now)
