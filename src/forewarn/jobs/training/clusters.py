"""Calls carried out on a Dask or Ray cluster that is there already; twice as many are given to it as it does at a
time, and the next whenever one ends."""

import importlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

from forewarn import __version__
from forewarn.domain.errors import ConfigurationError
from forewarn.jobs.training.cluster_words import gone, no_forewarn, no_worker, unreachable
from forewarn.jobs.training.ray_driver import RayDriver, here

Call = tuple[Callable[..., Any], tuple[Any, ...]]
ANSWER_S: Final = 10.0  # a cluster that is there answers within it
WORKER_S: Final = 60.0  # a worker that died is back within it, or another comes
_LOOK_S: Final = 2.0
_HOST_AND_PORT: Final = re.compile(r"([^/:]+|\[[^\]]+\]):(\d{1,5})$")


@dataclass(frozen=True, slots=True, eq=False)
class Lost:
    """A call of which every worker died that had it."""

    call: Call


def on_cluster(executor: str, address: str, calls: Iterator[Call]) -> Iterator[Any]:
    """Results as they end, Lost among them. What was begun is called off when the iterator is closed. Raises
    ConfigurationError where library or cluster is missing or goes away, and what a call raises."""
    return {"dask": _on_dask, "ray": _on_ray}[executor](address, calls)


def _on_dask(address: str, calls: Iterator[Call]) -> Iterator[Any]:
    distributed = _library("distributed", "dask")
    if not _HOST_AND_PORT.search(address):
        raise ConfigurationError(
            f"FOREWARN_TRAINING_ADDRESS is {address!r}: name the scheduler of the dask cluster, tcp://HOST:8786"
        )
    _knock("dask", address)
    under_way: dict[Any, Call] = {}
    ended: SimpleQueue[Any] = SimpleQueue()
    with _client(distributed, address) as client:

        def slots(patience_s: float) -> int:
            return _slots("dask", address, lambda: sum(client.nthreads().values()), patience_s)

        ahead = 2 * slots(ANSWER_S)
        try:
            # A worker that cannot unpack what it is given ends without a word.
            client.run(importlib.import_module, "forewarn")
        except ImportError as error:
            raise no_forewarn("dask", error) from error
        try:
            while True:
                while len(under_way) < ahead and (call := next(calls, None)) is not None:
                    future = client.submit(here, __version__, *call, pure=False)
                    under_way[future] = call
                    future.add_done_callback(ended.put)
                if not under_way:
                    return
                try:
                    future = ended.get(timeout=_LOOK_S)
                except Empty:
                    ahead = 2 * slots(WORKER_S)
                    continue
                yield _dask_result(distributed, address, future, under_way.pop(future))
        finally:
            for future in under_way:
                future.cancel()


@contextmanager
def _client(distributed: Any, address: str) -> Iterator[Any]:
    try:
        client = _within(ANSWER_S, lambda: distributed.Client(address, timeout=ANSWER_S, set_as_default=False))
    except (OSError, ValueError, TimeoutError, RuntimeError) as error:
        raise unreachable("dask", address, error) from error
    try:
        yield client
    finally:
        client.close(timeout=_LOOK_S)


def _dask_result(distributed: Any, address: str, future: Any, call: Call) -> Any:
    try:
        return future.result()
    except distributed.scheduler.KilledWorker:
        return Lost(call)
    except (distributed.client.FutureCancelledError, distributed.comm.CommClosedError) as error:
        raise gone("dask", address, error) from error
    except ImportError as error:
        raise no_forewarn("dask", error) from error
    except RuntimeError as error:
        if isinstance(error.__cause__, ImportError):  # the scheduler or the worker could not unpack the call
            raise no_forewarn("dask", error.__cause__) from error
        raise


def _on_ray(address: str, calls: Iterator[Call]) -> Iterator[Any]:
    _library("ray", "ray")
    _knock("ray", address)
    under_way: dict[int, Call] = {}
    with RayDriver(address, ANSWER_S, WORKER_S) as driver:
        next(driver.answers(3 * ANSWER_S))  # its library is loaded
        next(driver.answers(ANSWER_S))
        answers = driver.answers()
        ahead = 2 * next(answers)[1]
        number = 0
        while True:
            while len(under_way) < ahead and (call := next(calls, None)) is not None:
                under_way[number] = call
                driver.give(number, call)
                number += 1
            if not under_way:
                return
            which, what, value = next(answers)
            done = under_way.pop(which)
            if what == "failed":
                raise value
            yield Lost(done) if what == "lost" else value


def _slots(executor: str, address: str, count: Callable[[], int], patience_s: float) -> int:
    """Calls that the cluster does at a time; waits for the first worker. Raises ConfigurationError."""
    until = time.monotonic() + patience_s
    while True:
        try:
            found = count()
        except (OSError, RuntimeError, TimeoutError, ValueError) as error:
            raise gone(executor, address, error) from error
        if found > 0:
            return found
        if time.monotonic() > until:
            raise no_worker(executor, address, patience_s)
        time.sleep(0.2)


def _knock(executor: str, address: str) -> None:
    """The libraries themselves look for a cluster for a minute and more."""
    found = _HOST_AND_PORT.search(address)
    if found is None:
        return
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), ANSWER_S / 2).close()
    except (OSError, OverflowError) as error:
        raise unreachable(executor, address, error) from error


def _within(seconds: float, connect: Callable[[], Any]) -> Any:
    """Raises TimeoutError: what listens there may speak something else, and the library waits for its answer."""
    answer: SimpleQueue[Any] = SimpleQueue()

    def try_it() -> None:
        try:
            answer.put((connect(), None))
        except Exception as error:
            answer.put((None, error))

    threading.Thread(target=try_it, name="cluster-connect", daemon=True).start()
    try:
        made, error = answer.get(timeout=seconds + 1)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None
    if error is not None:
        raise error
    return made


def _library(name: str, executor: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"the executor {executor!r} needs a library that is not installed ({error}): pip install "
            f"{name}, or set FOREWARN_TRAINING_EXECUTOR=local"
        ) from error
