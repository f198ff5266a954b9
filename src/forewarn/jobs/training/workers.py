"""Many lessons learned at once: in processes of this machine, or on a cluster that is there already."""

import os
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import joblib

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ConfigurationError, ForewarnError, NotEnoughData
from forewarn.jobs.training.clusters import Call, Lost, on_cluster
from forewarn.jobs.training.lesson import Learned, Lesson, learn
from forewarn.jobs.training.niceness import beside

EXECUTORS: Final = ("local", "ray", "dask")
DIED: Final = (
    "the process that learned it died, most likely for lack of memory: train with fewer workers "
    "(FOREWARN_TRAINING_WORKERS)"
)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Of one machine. learned: None where it came to nothing; why: then, in words; is_fault: more than a lack of
    data."""

    asset_id: str
    learned: Learned | None = None
    why: str = ""
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Workers:
    """processes: of this machine, 1 works in this one. executor: `local`, or `ray` or `dask` at `address`."""

    processes: int = 1
    executor: str = "local"
    address: str = ""


def learn_all(
    lessons: Iterable[Lesson | Outcome], detectors: Mapping[str, TrainedDetector], workers: Workers
) -> Iterator[Outcome]:
    """As they end; an outcome is passed on. Errors as of `carried_out`."""
    calls = ((attempt, (lesson, detectors)) if isinstance(lesson, Lesson) else (_same, (lesson,)) for lesson in lessons)
    for result in carried_out(calls, workers):
        if isinstance(result, Lost):
            yield Outcome(result.call[1][0].asset_id, None, DIED, is_fault=True)
        else:
            yield result


def carried_out(calls: Iterable[Call], workers: Workers) -> Iterator[Any]:
    """What they give, as they end. `calls` is asked for a few ahead, maybe by another thread. Only arrays cross the
    border. Raises ConfigurationError where the executor's library or cluster is missing, BrokenProcessPool where a
    process of this machine died; a cluster gives Lost for a call whose workers died."""
    if workers.executor not in EXECUTORS:
        raise ConfigurationError(f"there is no executor {workers.executor!r}; there are: {', '.join(EXECUTORS)}")
    if workers.executor != "local":
        yield from on_cluster(workers.executor, workers.address, iter(calls))
        return
    ahead = 2 * workers.processes
    here = os.getpid()
    delayed = (joblib.delayed(beside)(here, function, *arguments) for function, arguments in calls)
    yield from joblib.Parallel(workers.processes, return_as="generator_unordered", pre_dispatch=ahead)(delayed)


def attempt(lesson: Lesson, detectors: Mapping[str, TrainedDetector]) -> Outcome:
    try:
        return Outcome(lesson.asset_id, learn(lesson, detectors))
    except NotEnoughData as error:
        return Outcome(lesson.asset_id, None, str(error))
    except ForewarnError as error:
        return Outcome(lesson.asset_id, None, str(error), is_fault=True)
    except Exception as error:
        # One machine's bad luck does not end the job of the others; the trace tells us what to mend.
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
        return Outcome(lesson.asset_id, None, f"{type(error).__name__} in {where}: {error}", is_fault=True)


def _same(outcome: Outcome) -> Outcome:
    return outcome
