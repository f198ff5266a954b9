"""Training on a real Dask cluster: scheduler and workers in processes of their own, killed, missing, or without
Forewarn. Ray does the same with `python -m benchmarks.training_clusters ray`."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from forewarn.domain.errors import ConfigurationError
from forewarn.jobs.training import clusters
from forewarn.jobs.training.clusters import Lost
from forewarn.jobs.training.ray_driver import here
from forewarn.jobs.training.workers import Workers, carried_out, learn_all
from tests.jobs.training.a_past import fill
from tests.jobs.training.calls import die, die_once, nap, squared
from tests.jobs.training.run_here import END, runs
from tests.learning.test_fleet import DETECTORS
from tests.ports import free_port

ROOT = Path(__file__).parents[3]


@contextmanager
def process(*command: str, path: Path = ROOT, cwd: Path = ROOT) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    made = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield made
    finally:
        with_children(made)
        made.wait()


def with_children(made: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(made.pid, 9)


@contextmanager
def scheduler() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    options = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with process("distributed.cli.dask_scheduler", *options) as made:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"tcp://127.0.0.1:{port}", made


@contextmanager
def cluster(tmp: Path, path: Path = ROOT) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Two workers that a nanny starts again."""
    options = ("--nworkers", "2", "--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp / "dask"))
    with scheduler() as (address, made), process("distributed.cli.dask_worker", address, *options, path=path, cwd=tmp):
        yield address, made


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with cluster(tmp_path_factory.mktemp("dask")) as (address, _):
        yield Workers(1, "dask", address)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy; who must not answer is waited for less."""
    monkeypatch.setattr(clusters, "ANSWER_S", 60.0)


def ask(workers: Workers, *calls: tuple[Callable[..., Any], tuple[Any, ...]]) -> list[Any]:
    return list(carried_out(calls, workers))


@pytest.mark.slow
def test_a_cluster_learns_the_same_bytes(dask: Workers, tmp_path: Path) -> None:
    names = ("p1", "p2", "p3")
    fill(tmp_path, *names, hours=1)
    with runs(tmp_path, "a") as (_, here_):
        lessons = [here_.trainer.lesson(name, END - 2 * 3_600_000_000) for name in names]
    ours = {o.asset_id: o.learned and o.learned.payload for o in learn_all(lessons, DETECTORS, Workers())}
    theirs = {o.asset_id: o.learned and o.learned.payload for o in learn_all(lessons, DETECTORS, dask)}
    assert theirs == ours
    assert None not in ours.values()


@pytest.mark.slow
def test_more_calls_than_it_does_at_a_time_are_asked_for_as_others_end(dask: Workers) -> None:
    asked: list[int] = []

    def calls() -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
        for number in range(20):
            asked.append(number)
            yield squared, (number,)

    results = carried_out(calls(), dask)
    first = next(results)
    assert len(asked) <= 6, "two workers, twice as many calls, and one more"
    assert sorted([first, *results]) == [n * n for n in range(20)]
    called_off = carried_out([(squared, (1,)), (nap, (2.0,))], dask)
    assert next(called_off) == 1
    assert isinstance(called_off, Generator)
    called_off.close()


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_what_kills_every_worker_is_told(dask: Workers, tmp_path: Path) -> None:
    results = ask(dask, (squared, (2,)), (die_once, (tmp_path / "told",)), (die, ()), (squared, (3,)))
    lost = [r for r in results if isinstance(r, Lost)]
    assert [call.call[0] for call in lost] == [die]
    assert sorted(str(r) for r in results if not isinstance(r, Lost)) == ["4", "9", "done by another"]


@pytest.mark.slow
def test_a_cluster_without_forewarn_says_so(tmp_path: Path) -> None:
    (tmp_path / "forewarn.py").write_text("raise ModuleNotFoundError(\"No module named 'forewarn'\")")
    said = pytest.raises(ConfigurationError, match=r"No module named 'forewarn'.*install there the same Forewarn")
    with cluster(tmp_path, path=tmp_path) as (address, _), said:
        ask(Workers(1, "dask", address), (squared, (2,)))


@pytest.mark.slow
def test_a_cluster_that_goes_away_is_told_and_nothing_hangs(tmp_path: Path) -> None:
    with cluster(tmp_path) as (address, head):
        results = carried_out([(squared, (2,)), (nap, (600.0,)), (nap, (600.0,))], Workers(1, "dask", address))
        assert next(results) == 4
        with_children(head)
        with pytest.raises(ConfigurationError, match="went away"):
            next(results)


@pytest.mark.slow
def test_a_cluster_without_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "ANSWER_S", 5.0)
    with scheduler() as (address, _), pytest.raises(ConfigurationError, match="has no worker"):
        ask(Workers(1, "dask", address), (squared, (2,)))


@pytest.mark.parametrize(
    ("address", "said"),
    [("", "name the scheduler"), ("scheduler", "name the scheduler"), ("tcp://127.0.0.1:1", "does not answer")],
)
def test_an_address_where_nobody_is(address: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ask(Workers(1, "dask", address), (squared, (2,)))


def test_who_listens_and_says_nothing_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=r"does not answer"):
            ask(Workers(1, "dask", address), (squared, (2,)))
    left = [t for t in threading.enumerate() if t.name == "cluster-connect" and not t.daemon]
    assert not left, "nothing keeps the process from ending"


def test_another_forewarn_on_a_worker_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"a worker of the cluster has Forewarn .*, this site 0\.0\.1"):
        here("0.0.1", squared, (2,))
