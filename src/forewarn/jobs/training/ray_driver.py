"""Calls carried out on a Ray cluster, from a process of its own: Ray ends the process that drives it where the cluster
goes away for a minute, and that must not be a site."""

import importlib
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, Final

from forewarn import __version__
from forewarn.domain.errors import ConfigurationError
from forewarn.jobs.training.cluster_words import gone, no_forewarn, no_worker, unreachable

_LOOK_S: Final = 0.3
_AGAIN: Final = 2  # a call is tried so often again where its worker died


def drive(address: str, pipe: Connection, answer_s: float, worker_s: float) -> None:
    """Until the pipe is closed. Takes (number, call); gives ("began",), ("joined",), ("ready", calls at a time), then
    (number, "done", result), (number, "lost", None) or (number, "failed", exception); ("over", exception) instead of
    any."""
    ray: Any = importlib.import_module("ray")
    pipe.send(("began",))
    try:
        ray.init(address or "auto", log_to_driver=False, logging_level="error")
    except (OSError, ValueError, RuntimeError, TimeoutError) as error:
        pipe.send(("over", unreachable("ray", address, error)))
        return
    try:
        pipe.send(("joined",))
        _driven(ray, address, pipe, answer_s, worker_s)
    except (EOFError, BrokenPipeError):
        return  # nobody waits for it any more
    except (ray.exceptions.RayError, ConnectionError) as error:
        pipe.send(("over", gone("ray", address, error)))
    except ConfigurationError as error:
        pipe.send(("over", error))
    finally:
        ray.shutdown()


def _driven(ray: Any, address: str, pipe: Connection, answer_s: float, worker_s: float) -> None:
    task = ray.remote(here).options(max_retries=_AGAIN)
    under_way: dict[Any, int] = {}
    seen = time.monotonic() - worker_s + answer_s
    told = False
    while True:
        slots = int(sum(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]))
        if slots:
            seen = time.monotonic()
        elif time.monotonic() - seen > worker_s:
            raise no_worker("ray", address, answer_s if not told else worker_s)
        if slots and not told:
            pipe.send(("ready", slots))
            told = True
        while pipe.poll(0 if under_way else _LOOK_S):
            number, call = pipe.recv()
            under_way[task.remote(__version__, *call)] = number
        if under_way:
            for reference in ray.wait(list(under_way), timeout=_LOOK_S)[0]:
                pipe.send((under_way.pop(reference), *_result(ray, reference)))


def _result(ray: Any, reference: Any) -> tuple[str, Any]:
    errors = ray.exceptions
    try:
        return "done", ray.get(reference)
    except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError):
        return "lost", None
    except errors.RayTaskError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, ImportError) or "No module named" in str(error):
            return "failed", no_forewarn("ray", cause if isinstance(cause, ImportError) else error)
        return "failed", _plain(cause if isinstance(cause, Exception) else error)


def _plain(error: Exception) -> Exception:
    """One that crosses the pipe, whatever it holds."""
    if isinstance(error, ConfigurationError):
        return ConfigurationError(str(error))
    return RuntimeError(f"{type(error).__name__}: {error}")


def here(version: str, function: Any, arguments: tuple[Any, ...]) -> Any:
    """On a worker."""
    if version != __version__:
        raise ConfigurationError(
            f"a worker of the cluster has Forewarn {__version__}, this site {version}: install the same on both"
        )
    return function(*arguments)


class RayDriver:
    """That process. `with` it ends."""

    def __init__(self, address: str, answer_s: float, worker_s: float) -> None:
        self._address = address
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (address, theirs, answer_s, worker_s)
        self._process = context.Process(target=drive, args=arguments, name="ray-driver", daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> "RayDriver":
        return self

    def __exit__(self, *exception: object) -> None:
        self._pipe.close()
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def give(self, number: int, call: Any) -> None:
        try:
            self._pipe.send((number, call))
        except OSError as error:
            raise gone("ray", self._address, error) from error

    def answers(self, patience_s: float | None = None) -> Iterator[tuple[Any, ...]]:
        """Raises ConfigurationError where the cluster does not answer, or goes away."""
        while True:
            try:
                if not self._pipe.poll(patience_s):
                    raise unreachable("ray", self._address, TimeoutError(f"no answer within {patience_s:.0f} s"))
                message = self._pipe.recv()
            except EOFError:
                raise gone("ray", self._address, ConnectionError("its driver has ended")) from None
            except OSError as error:
                raise gone("ray", self._address, error) from error
            if message[0] == "over":
                raise message[1]
            yield message
