"""Training at a site: which detectors, by whose key, in how many processes."""

import asyncio
import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Final

import psutil
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from forewarn.api.model_parts import ModelParts
from forewarn.app.model_care import ModelCare
from forewarn.app.plant_view import CatalogPlantView
from forewarn.app.secrets import read_secret
from forewarn.app.settings import Settings
from forewarn.app.site_courses import SiteCourses
from forewarn.app.site_models import SiteModels
from forewarn.app.trained_plugins import members
from forewarn.catalog import Catalog
from forewarn.contracts.historian import Historian
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.rollout_desk import RolloutDesk
from forewarn.domain.errors import ConfigurationError, ForewarnError, NotFound
from forewarn.domain.jobs import Job
from forewarn.domain.model_delivery import MachineDrift
from forewarn.jobs.training.kept_parts import KeptParts
from forewarn.jobs.training.lesson import Champion, TrainingSettings
from forewarn.jobs.training.run import TrainingRuns, training_job
from forewarn.jobs.training.train import Past, Trainer
from forewarn.jobs.training.whole_past import senders_of
from forewarn.jobs.training.workers import Workers
from forewarn.kit.clock import now_us
from forewarn.learning.ensemble import EnsembleSettings
from forewarn.learning.machine_model import MachineSettings
from forewarn.plugins.historians.parquet import ParquetReader
from forewarn.policies.alarm_budget import AlarmBudget
from forewarn.policies.model_signature import read_envelope

_log = structlog.get_logger(__name__)
_LOOK_S: Final = 10.0
_GIVE_WAY_S: Final = 2.0
_WORKER_BYTES: Final = 400_000_000  # of a process that learns machines of a hundred signals


class ModelSigner:
    """The site's own key. public_key: 64 hexadecimal digits."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._private.public_key().public_bytes_raw().hex()

    def sign(self, what: bytes) -> bytes:
        return self._private.sign(what)


def model_signer(settings: Settings) -> ModelSigner:
    """Of the secret `model_key`, made at first use. Raises ConfigurationError."""
    secret = read_secret(settings, "model_key")
    return ModelSigner(hashlib.sha256(b"forewarn model key 1\0" + secret).digest())


def workers_of(settings: Settings, processes: int | None = None) -> Workers:
    """All cores but one, as far as memory goes, unless something else was said."""
    count = processes or settings.training_workers or min(max((os.cpu_count() or 2) - 1, 1), _fit_in_memory())
    return Workers(count, settings.training_executor, settings.training_address)


def _fit_in_memory() -> int:
    """Processes that half of the memory which is free has room for; the rest is the site's, which grows too."""
    return max(int(psutil.virtual_memory().available / 2 / _WORKER_BYTES), 1)


def training_runs(
    settings: Settings, catalog: Catalog, plant: PlantView, past: Past, workers: Workers, owner: str
) -> TrainingRuns:
    budget = AlarmBudget(per_week=settings.false_alarms_per_week)
    trainer = Trainer(
        past,
        plant,
        catalog.anomalies,
        members(settings.model_detectors),
        now_us,
        TrainingSettings(machine=MachineSettings(EnsembleSettings(budget=budget))),
        lambda asset_id: _champion(catalog.models, asset_id),
        senders_of(catalog.gateways),
    )
    owner = f"{owner}-{os.getpid()}-{token_hex(4)}"
    parts = KeptParts(settings.directory / "training")
    signer = model_signer(settings)
    return TrainingRuns(trainer, catalog.jobs, catalog.models, signer, now_us, workers, owner, parts=parts)


@contextlib.contextmanager
def training_beside(
    settings: Settings, catalog: Catalog, processes: int | None = None
) -> Iterator[tuple[TrainingRuns, CatalogPlantView]]:
    """For a process of its own, while the site runs or not: it reads what the site has written.

    Raises NotFound where nothing was ever written, ConfigurationError for a historian that only the site can read."""
    if settings.historian != "parquet":
        raise ConfigurationError(
            f"the historian {settings.historian!r} is read by the site alone: train from its page Models"
        )
    folder = settings.directory / "historian"
    if not folder.is_dir():
        raise NotFound(f"{folder} is not there yet: collect readings first (`forewarn serve`), then train")
    plant = CatalogPlantView(catalog.plant)
    with contextlib.closing(ParquetReader(folder)) as reader:
        yield training_runs(settings, catalog, plant, reader, workers_of(settings, processes), "command"), plant


def _champion(registry: ModelRegistry, asset_id: str) -> Champion | None:
    champion = registry.champions().get(asset_id)
    if champion is None:
        return None
    try:
        return Champion(champion.id, read_envelope(registry.artifact(champion.id)).payload)
    except ForewarnError as error:
        _log.warning("champion_unreadable", asset=asset_id, version=champion.id, error=str(error))
        return None


class _GiveWay(threading.Event):
    """Set when the site ends, and when what it does by itself has to wait for what a person asked for. Once set it
    stays so: what was let go of is not finished."""

    def __init__(self, ends: threading.Event, gives_way: Callable[[], bool]) -> None:
        super().__init__()
        self._ends, self._gives_way = ends, gives_way
        self._asked = time.monotonic()

    def is_set(self) -> bool:
        if not super().is_set() and (self._ends.is_set() or self._must()):
            self.set()
        return super().is_set()

    def _must(self) -> bool:
        if time.monotonic() - self._asked < _GIVE_WAY_S:
            return False
        self._asked = time.monotonic()
        try:
            return self._gives_way()
        except ForewarnError:
            return False  # the catalog is away for a moment: whoever tells what was learned says so


class TrainingDesk:
    """Does a site's jobs of training one after another, those that others left too; what people ask for first. For one
    event loop."""

    def __init__(self, runs: TrainingRuns) -> None:
        self._runs = runs
        self._stop, self._asked = threading.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def look(self) -> None:
        """There is a job, maybe. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._asked.set)

    async def run(self) -> None:
        """Until cancelled; what is under way is left for the next start."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._asked.clear()
                while await asyncio.to_thread(self._once):
                    pass
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._asked.wait(), _LOOK_S)
        finally:
            self._loop = None
            self._stop.set()

    def _once(self) -> bool:
        """Whether there may be more."""
        if self._stop.is_set():
            return False
        try:
            gives_way = _GiveWay(self._stop, lambda: self._runs.jobs.gives_way(self._runs.owner))
            job = self._runs.run(None, lambda item: None, gives_way)
        except ForewarnError as error:
            _log.error("training_failed", error=str(error))  # the job stays; the next look tries again
            return False
        except Exception:  # a worker that died, a detector of somebody's: the desk goes on
            _log.exception("training_failed")
            return False
        if job is not None and job.ended_at is not None:
            _log.info("training_ended", job=job.id, state=job.state.value, machines=len(job.items))
        return job is not None


def training_desk(settings: Settings, catalog: Catalog, plant: PlantView, historian: Historian) -> TrainingDesk:
    """Of the site itself. It learns in processes beside this one, which would stand still meanwhile."""
    workers = workers_of(settings)
    beside = replace(workers, processes=max(workers.processes, 2))
    return TrainingDesk(training_runs(settings, catalog, plant, historian, beside, "site"))


def model_parts(
    catalog: Catalog,
    desk: TrainingDesk,
    models: SiteModels,
    courses: SiteCourses,
    care: ModelCare,
    rollouts: RolloutDesk,
    drift: Callable[[str], MachineDrift | None],
) -> ModelParts:
    """What the API calls. drift: of machines that the site itself judges."""

    def job_of(assets: Sequence[str], by: str, days: float) -> Job:
        return training_job(assets, by, now_us(), days)

    told = (models.thresholds, courses.of, courses.scores, care.waits, care.next_training, drift)
    return ModelParts(catalog.models, catalog.jobs, job_of, desk.look, *told, rollouts=rollouts)
