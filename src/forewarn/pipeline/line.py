"""The line: one thread that takes batches out of the log and walks them through the stages."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from forewarn.contracts.batch_log import BatchLog
from forewarn.contracts.offsets import StageOffsets
from forewarn.contracts.stage import Carriage, Stage
from forewarn.domain.errors import ConfigurationError
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import now_us
from forewarn.policies.row_order import by_signal_and_time

_log = structlog.get_logger(__name__)
CONSUMER: Final = "line"
_TICK_S: Final = 1.0
_FIRST_BACKOFF_S: Final = 0.1
_LONGEST_BACKOFF_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class LineHealth:
    """last_offset: what every stage has handled. behind: batches after it. last_error: '' once the line moves
    again. missing: batches that were no longer in the log when a stage came to them. Times: microseconds UTC."""

    running: bool
    last_offset: int
    behind: int
    last_error: str
    last_error_at: int | None
    last_progress_at: int | None
    missing: int
    stages: Mapping[str, int]


class RoutedOffsets:
    """StageOffsets that asks another one for the stages named in `routes`."""

    def __init__(self, default: StageOffsets, routes: Mapping[str, StageOffsets]) -> None:
        self._default = default
        self._routes = routes

    def get(self, stage: str) -> int:
        return self._routes.get(stage, self._default).get(stage)

    def set(self, stage: str, offset: int) -> None:
        self._routes.get(stage, self._default).set(stage, offset)


def coalesce(batches: Sequence[ReadingBatch]) -> ReadingBatch:
    """All rows as one batch ordered by (signal, time), equal pairs in order of arrival. At least one batch."""
    joined = ReadingBatch.concatenate([b for b in batches if len(b)] or batches[-1:])
    order = by_signal_and_time(joined.signal, joined.time)
    return joined if order is None else joined.take(order)


class Line:
    """Walks the log through `stages`, each from its own offset, at least once and in order.

    offsets: where each stage stands; asked once at the start. Once a second, and when the line stops, it is told
    where they stand by now and asked what may be trimmed, so a stage whose durability lags (the historian) holds
    the log back by answering what is on disk. A stage that was handed carriages after what was last told gets them
    again after a crash.
    max_readings: most readings in a carriage. idle_s: carriages start at least this far apart unless they are
    full, so that many small batches cost one walk.

    A stage that raises stops the line: the same carriage is offered to the same stage again, after 0.1 s
    doubling to 5 s, until it takes it; stages before it are not called twice."""

    def __init__(
        self,
        log: BatchLog,
        stages: Sequence[Stage],
        offsets: StageOffsets,
        *,
        max_readings: int = 200_000,
        idle_s: float = 0.05,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._log = log
        self._stages = tuple(stages)
        self._offsets = offsets
        self._max_readings = max_readings
        self._idle_s = idle_s
        self._clock = clock
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._at: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._ticked_at = 0.0
        self._health = LineHealth(False, 0, 0, "", None, None, 0, {})

    def start(self) -> None:
        """Register as the log's consumer and begin. Raises ConfigurationError when a stage stands beyond the
        log's end: the log is not the one it has read from."""
        last = self._log.depth().last_offset
        self._at = {stage.name: self._offsets.get(stage.name) for stage in self._stages}
        self._told = dict(self._at)
        for name, at in self._at.items():
            if at > last:
                raise ConfigurationError(
                    f"stage {name} stands at {at} but the batch log ends at {last}: it was replaced or emptied. "
                    "Restore the log's directory together with the catalog and the historian, from one backup"
                )
        self._log.commit(CONSUMER, 0)
        self._health = replace(self._health, running=True, last_offset=min(self._at.values()), stages=dict(self._at))
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Finish the carriage at hand and end the thread. Idempotent."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def health(self) -> LineHealth:
        """Thread-safe, no I/O."""
        health = self._health
        return replace(health, behind=max(self._log.depth().last_offset - health.last_offset, 0))

    def _run(self) -> None:
        try:
            self._loop()
            self._release()
        except Exception as error:
            # Not of a stage's making (those are retried): say so, a thread must not die in silence.
            _log.exception("line_ended")
            self._health = replace(self._health, last_error=f"line: {type(error).__name__}: {error}")
        finally:
            self._health = replace(self._health, running=False)

    def _loop(self) -> None:
        began, full = 0.0, False
        while not self._stopping.is_set():
            self._patiently(self._tick_when_due)
            if not self._log.wait(self._low(), timeout_s=_TICK_S / 4):
                continue
            if not full and (rest := began + self._idle_s - time.monotonic()) > 0:
                self._stopping.wait(rest)
            began = time.monotonic()
            full = self._advance()

    def _low(self) -> int:
        return min(self._at.values())

    def _advance(self) -> bool:
        """Walk one carriage through the stages that stand lowest; True when it was as full as may be."""
        low = self._low()
        ahead = [at for at in self._at.values() if at > low]
        found: list[tuple[int, ReadingBatch]] = []
        self._patiently(lambda: found.extend(self._log.read(low, self._max_readings)))
        batches = [pair for pair in found if not ahead or pair[0] <= min(ahead)]
        if not batches:
            if found:
                self._skip_missing(low, min(ahead))
            return False
        if batches[0][0] != low + 1:
            self._note_missing(low, batches[0][0] - 1)
        readings = coalesce([batch for _, batch in batches])
        carriage = Carriage(batches[0][0], batches[-1][0], batches, readings)
        stages = [stage for stage in self._stages if self._at[stage.name] == low]
        if self._walk(carriage, stages):
            self._arrive(carriage.last, stages)
        return len(readings) >= self._max_readings // 2

    def _walk(self, carriage: Carriage, stages: Sequence[Stage]) -> bool:
        """False when the line was stopped before the last stage took it: the next start begins with it again."""
        box = [carriage]
        for stage in stages:

            def handle(stage: Stage = stage) -> None:
                box[0] = stage.handle(box[0])

            if not self._patiently(handle, stage.name):
                return False
        return True

    def _arrive(self, offset: int, stages: Sequence[Stage]) -> None:
        for stage in stages:
            self._at[stage.name] = offset
        self._health = replace(
            self._health,
            last_offset=self._low(),
            last_progress_at=self._clock(),
            last_error="",
            stages=dict(self._at),
        )

    def _patiently(self, work: Callable[[], None], where: str = "log") -> bool:
        """Do `work` again and again until it raises nothing; False when the line was stopped first."""
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                work()
            except Exception as error:
                _log.exception("line_stopped", stage=where, offset=self._low() + 1, retry_in_s=backoff_s)
                text = f"{where}: {type(error).__name__}: {error}"
                self._health = replace(self._health, last_error=text, last_error_at=self._clock())
                if self._stopping.wait(backoff_s):
                    return False
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            else:
                return True

    def _tick_when_due(self) -> None:
        if time.monotonic() - self._ticked_at < _TICK_S or len(set(self._at.values())) > 1:
            return
        self._ticked_at = time.monotonic()
        for i, stage in enumerate(self._stages):
            if (carriage := stage.tick(self._clock())) is not None:
                self._walk(carriage, self._stages[i + 1 :])
        self._release()

    def _release(self) -> None:
        """Keep where the stages stand, and tell the log what no stage will ask for again."""
        # The last stage first: after a crash in between, a stage never lacks what an earlier one found.
        for stage in reversed(self._stages):
            if self._told.get(stage.name) != (at := self._at[stage.name]):
                self._offsets.set(stage.name, at)
                self._told[stage.name] = at
        durable = min(self._offsets.get(stage.name) for stage in self._stages)
        self._log.commit(CONSUMER, min(durable, self._low()))

    def _skip_missing(self, low: int, until: int) -> None:
        self._note_missing(low, until)
        for name, at in self._at.items():
            self._at[name] = max(at, until)

    def _note_missing(self, low: int, until: int) -> None:
        """Batches were trimmed before this stage saw them (an older backup of catalog or historian): say so."""
        _log.error("batches_missing", first=low + 1, last=until, stages=[n for n, at in self._at.items() if at == low])
        self._health = replace(self._health, missing=self._health.missing + until - low)
