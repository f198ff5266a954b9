"""Training on a real cluster of this machine: the same bytes as here, what it costs, and what happens when it breaks.

Run: `python -m benchmarks.training_clusters ray` (`pip install ray` first: 80 MB to load, 240 MB on disk; it is in no
extra of ours), or `... dask` (in the extra dev). A cluster of two workers is started on this machine and ended again.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from forewarn.domain.errors import ConfigurationError
from forewarn.jobs.training.clusters import Lost
from forewarn.jobs.training.workers import Workers, carried_out, learn_all
from tests.jobs.training.a_past import fill
from tests.jobs.training.calls import die, die_once, nap, squared
from tests.jobs.training.run_here import END, runs
from tests.jobs.training.test_clusters import ROOT, cluster
from tests.learning.test_fleet import DETECTORS
from tests.ports import free_port

MACHINES = tuple(f"p{i}" for i in range(1, 7))


@contextmanager
def ray_head(tmp: Path, path: Path = ROOT) -> Iterator[str]:
    """`ray stop` ends every Ray of this machine."""
    port = free_port()
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    options = ["--port", str(port), "--num-cpus", "2", "--include-dashboard", "false", "--disable-usage-stats"]
    options += ["--temp-dir", str(tmp / "ray"), "--object-store-memory", "200000000"]
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    subprocess.run([*ray, "start", "--head", *options], env=environment, check=True, capture_output=True)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        subprocess.run([*ray, "stop", "--force"], check=False, capture_output=True)


@contextmanager
def started(executor: str, tmp: Path, path: Path = ROOT) -> Iterator[Workers]:
    with ExitStack() as stack:
        if executor == "ray":
            yield Workers(1, executor, stack.enter_context(ray_head(tmp, path)))
        else:
            yield Workers(1, executor, stack.enter_context(cluster(tmp, path))[0])


def refusal(workers: Workers, seconds: float = 0.0) -> str:
    began = time.perf_counter()
    try:
        list(carried_out([(nap, (seconds,))], workers))
    except ConfigurationError as error:
        return f"{time.perf_counter() - began:.1f} s: {error}"
    return "it worked"


def main(executor: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tmp = Path(folder)
        fill(tmp, *MACHINES, hours=2)
        with runs(tmp, "bench") as (_, here):
            lessons = [here.trainer.lesson(name, END) for name in MACHINES]
        ours = {o.asset_id: o.learned and o.learned.payload for o in learn_all(lessons, DETECTORS, Workers())}
        with started(executor, tmp) as workers:
            for which in ("first", "second"):
                began = time.perf_counter()
                theirs = {o.asset_id: o.learned and o.learned.payload for o in learn_all(lessons, DETECTORS, workers)}
                spent = time.perf_counter() - began
                print(
                    f"{which} time: {len(theirs)} machines in {spent:.1f} s, same bytes: {theirs == ours}", flush=True
                )
            results = list(
                carried_out([(squared, (2,)), (die_once, (tmp / "told",)), (die, ()), (squared, (3,))], workers)
            )
            lost = sum(isinstance(r, Lost) for r in results)
            print(f"workers killed: {[r for r in results if not isinstance(r, Lost)]}, lost {lost}", flush=True)
        print("gone:", refusal(workers), flush=True)
        nobody = tmp / "nobody"
        nobody.mkdir()
        (nobody / "forewarn.py").write_text("raise ModuleNotFoundError(\"No module named 'forewarn'\")")
        with started(executor, nobody, nobody) as workers:
            print("without Forewarn:", refusal(workers), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "dask")
