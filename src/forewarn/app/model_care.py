"""What keeps a site's models fresh without anybody remembering a command: trained, rolled out, and let go of."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from forewarn.app.settings import Settings
from forewarn.catalog import Catalog
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.errors import ForewarnError
from forewarn.domain.jobs import NextTraining
from forewarn.jobs.candidates import Candidates
from forewarn.jobs.known_models import KnownModels
from forewarn.jobs.retention import ModelRetention
from forewarn.jobs.training.by_itself import TrainingByItself
from forewarn.jobs.training.first_past import FirstPast
from forewarn.jobs.training.schedule import ScheduleSettings
from forewarn.jobs.training.train import Past
from forewarn.kit.clock import DAY, HOUR, now_us

_log = structlog.get_logger(__name__)
_PRUNED_US: Final = HOUR


class ModelCare:
    """For one event loop. What fails is tried again at the next look, and holds up nothing else."""

    def __init__(
        self,
        training: TrainingByItself | None,
        candidates: Candidates | None,
        retention: ModelRetention,
        every_s: float,
        has_job: Callable[[], None],
        waits: Callable[[str], str] = lambda _asset_id: "",
    ) -> None:
        """has_job: is told that there is one. None: not done by itself. waits: what a machine's first model waits for,
        in words; no I/O, any thread."""
        self.waits = waits
        self._training, self._candidates, self._retention = training, candidates, retention
        self._every_s, self._has_job = every_s, has_job
        self._pruned = 0

    def next_training(self, asset_id: str) -> NextTraining | None:
        """Of those that are begun by themselves; None: none. No I/O, any thread."""
        return None if self._training is None else self._training.next(asset_id, self.waits(asset_id))

    async def run(self) -> None:
        """Until cancelled. The first look comes after a while: a site that starts has more urgent things to do."""
        while True:
            await asyncio.sleep(self._every_s)
            await asyncio.to_thread(self.look_around)

    def look_around(self) -> None:
        """In any thread, one at a time."""
        looks: Sequence[Callable[[], None]] = (self._train, self._roll_out, self._prune)
        for look in looks:
            try:
                look()
            except ForewarnError as error:
                _log.error("models_not_cared_for", step=look.__name__.strip("_"), error=str(error))
            except Exception:
                _log.exception("models_not_cared_for")

    def _train(self) -> None:
        if self._training is not None and self._training.look():
            self._has_job()

    def _roll_out(self) -> None:
        if self._candidates is not None:
            self._candidates.look()

    def _prune(self) -> None:
        now = now_us()
        if not 0 <= now - self._pruned < _PRUNED_US:
            self._retention.run()
            self._pruned = now


def model_care(
    settings: Settings, catalog: Catalog, plant: PlantView, past: Past, has_job: Callable[[], None]
) -> ModelCare:
    known = KnownModels(catalog.models, lambda: catalog.revisions.read().get("models", 0))
    rules = ScheduleSettings(round(settings.training_every_days * DAY), settings.training_on_drift)
    first = FirstPast(past, plant, catalog.anomalies, now_us)
    stores = (catalog.jobs, known, catalog.anomalies, plant)
    training = TrainingByItself(*stores, first.suffices, now_us, rules, first.settings.days)
    candidates = Candidates(catalog.models, catalog.jobs, known, settings.false_alarms_per_week, now_us)
    return ModelCare(
        training if settings.training_auto else None,
        candidates if settings.rollout_auto else None,
        ModelRetention(catalog.models, catalog.anomalies, settings.models_kept),
        settings.training_look_s,
        has_job,
        first.words,
    )
