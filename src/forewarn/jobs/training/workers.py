"""Many lessons learned at once: in processes of this machine, or on a cluster that is there already."""

import importlib
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import joblib

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.errors import ConfigurationError, ForewarnError, NotEnoughData
from forewarn.jobs.training.lesson import Learned, Lesson, learn

EXECUTORS: Final = ("local", "ray", "dask")
_AT_ONCE: Final = 64


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
    """As they end. `lessons` is asked for a few ahead, maybe by another thread; an outcome is passed on. Only arrays
    cross the border. Raises ConfigurationError where the executor's library or cluster is missing, BrokenProcessPool
    where a process died."""
    calls = (_call(lesson, detectors) for lesson in lessons)
    if workers.executor == "local":
        ahead = 2 * workers.processes
        yield from joblib.Parallel(workers.processes, return_as="generator_unordered", pre_dispatch=ahead)(calls)
        return
    with _cluster(workers):
        while some := list(islice(calls, _AT_ONCE)):
            yield from joblib.Parallel(-1)(some)


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


def _call(lesson: Lesson | Outcome, detectors: Mapping[str, TrainedDetector]) -> Any:
    if isinstance(lesson, Lesson):
        return joblib.delayed(attempt)(lesson, detectors)
    return joblib.delayed(_same)(lesson)


def _same(outcome: Outcome) -> Outcome:
    return outcome


@contextmanager
def _cluster(workers: Workers) -> Iterator[None]:
    """joblib works on it within the `with`."""
    if workers.executor == "dask":
        distributed = _library("distributed", "distributed", workers)
        try:
            client = distributed.Client(workers.address, timeout="10s")
        except (OSError, ValueError, TimeoutError) as error:
            raise _unreachable(workers, error) from error
        with client, joblib.parallel_config(backend="dask"):
            yield
    elif workers.executor == "ray":
        ray, bridge = _library("ray", "ray", workers), _library("ray.util.joblib", "ray", workers)
        try:
            ray.init(workers.address or None, ignore_reinit_error=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise _unreachable(workers, error) from error
        bridge.register_ray()
        with joblib.parallel_config(backend="ray"):
            yield
    else:
        raise ConfigurationError(f"there is no executor {workers.executor!r}; there are: {', '.join(EXECUTORS)}")


def _library(name: str, package: str, workers: Workers) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"the executor {workers.executor!r} needs a library that is not installed ({error}): pip install "
            f"{package}, or set FOREWARN_TRAINING_EXECUTOR=local"
        ) from error


def _unreachable(workers: Workers, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the {workers.executor} cluster at {workers.address or 'its default address'} does not answer ({error}): "
        "check FOREWARN_TRAINING_ADDRESS, or set FOREWARN_TRAINING_EXECUTOR=local"
    )
