"""The relational store, opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from forewarn.catalog.alarms import CatalogAlarms
from forewarn.catalog.anomalies import CatalogAnomalies
from forewarn.catalog.audit import CatalogAudit
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.gateway_leases import CatalogLeases
from forewarn.catalog.gateways import CatalogGateways
from forewarn.catalog.inspection import bypasses_row_security
from forewarn.catalog.jobs import CatalogJobs
from forewarn.catalog.machines import CatalogMachines
from forewarn.catalog.model_files import ModelFiles
from forewarn.catalog.model_observations import CatalogObservations
from forewarn.catalog.models import CatalogModels
from forewarn.catalog.offsets import CatalogOffsets
from forewarn.catalog.people import CatalogPeople
from forewarn.catalog.plant import CatalogPlant
from forewarn.catalog.revisions import CatalogRevisions
from forewarn.catalog.upgrade import upgrade
from forewarn.contracts.alarm_store import AlarmStore
from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.audit_log import AuditLog
from forewarn.contracts.gateway_leases import GatewayLeases
from forewarn.contracts.gateway_store import GatewayStore
from forewarn.contracts.job_store import JobStore
from forewarn.contracts.machine_store import MachineStore
from forewarn.contracts.model_observations import ModelObservations
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.offsets import StageOffsets
from forewarn.contracts.people_store import PeopleStore
from forewarn.contracts.plant_store import PlantStore
from forewarn.domain.errors import ConfigurationError
from forewarn.kit.clock import now_us


@dataclass(frozen=True, slots=True)
class Seal:
    """What the audit log is written with. key: of its digests. anchor: the file that remembers the chain's end."""

    key: bytes
    anchor: Path | None = None


class Catalog:
    """The stores of one database. Thread-safe; several processes may have the same one open.

    Without a seal nothing can be recorded: people, machines and audit are closed, and so is every change that
    leaves a deed."""

    plant: PlantStore
    anomalies: AnomalyStore
    alarms: AlarmStore
    offsets: StageOffsets
    gateways: GatewayStore
    leases: GatewayLeases
    jobs: JobStore
    observations: ModelObservations

    def __init__(
        self, database: Database, now: Callable[[], int], seal: Seal | None, models: Path | None = None
    ) -> None:
        self._database, self._now = database, now
        self._model_files = None if models is None else ModelFiles(models)
        self._audit = None if seal is None else CatalogAudit(database, now, seal.key, seal.anchor)
        self.plant = CatalogPlant(database, now, self._audit)
        self.anomalies = CatalogAnomalies(database, now, self._audit)
        self.alarms = CatalogAlarms(database, self._audit)
        self.offsets = CatalogOffsets(database)
        self.gateways = CatalogGateways(database, now, self._audit)
        self.leases = CatalogLeases(database, now)
        self.jobs = CatalogJobs(database, now, self._audit)
        self.observations = CatalogObservations(database)
        self.revisions = CatalogRevisions(database)

    @property
    def audit(self) -> AuditLog:
        return self._sealed()

    @property
    def people(self) -> PeopleStore:
        return CatalogPeople(self._database, self._now, self._sealed())

    @property
    def machines(self) -> MachineStore:
        return CatalogMachines(self._database, self._now, self._sealed())

    @property
    def models(self) -> ModelRegistry:
        if self._model_files is None:
            raise ConfigurationError("this catalog was opened without a folder for trained models")
        return CatalogModels(self._database, self._model_files, self._now, self._audit)

    def _sealed(self) -> CatalogAudit:
        if self._audit is None:
            raise ConfigurationError("this catalog was opened without the audit log's key")
        return self._audit

    @property
    def backend(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._database.engine.dialect.name

    @property
    def second_wall(self) -> bool:
        """Whether the database itself keeps readers to their part of the plant. SQLite cannot."""
        with self._database.read() as connection:
            return self.backend == "postgresql" and not bypasses_row_security(connection)

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


def open_catalog(
    url: str, now: Callable[[], int] = now_us, seal: Seal | None = None, models: Path | None = None
) -> Catalog:
    """Open `sqlite:////path/catalog.db` or `postgresql+psycopg://...`, its schema brought up to date first.

    now: microseconds UTC, for created_at and the like. models: folder of the trained models' files. Raises
    ConfigurationError (bad URL, database made by a newer Forewarn) and StorageFailed (unreachable, read-only, not a
    database).
    """
    database = Database(create_catalog_engine(catalog_url(url)))
    try:
        upgrade(database)
    except BaseException:
        database.close()
        raise
    return Catalog(database, now, seal, models)
