"""What trained models cost a gateway: the same gateway without, with a champion on every machine, and with a rollout.

Run: `python -m benchmarks.gateway_models [--quick] [--hz=10] [--python=INTERPRETER]`, some five minutes; the
interpreter of an environment that has a gateway already, else one is made (and so without pyarrow).

A broker, a real site and a real gateway with 90 simulated pumps of 11 signals (benchmarks/model_plant.py), each way
with a fresh site and a fresh gateway, thinned and scored as gateways are unless told otherwise. Champion: the four
default detectors. Rollout: every machine's challenger and champion are scored beside what acts, so thrice in all.
After ten seconds nothing happens for a while ("quiet"); then two values a second are beyond their limit, and a machine
at a time lifts a pressure by a tenth for five seconds ("busy"). Latency: from such a value's time to the alarm's event
in the hands of an MQTT listener, as in benchmarks/gateway.py. Bytes: bodies of parcels, without HTTP and heartbeats.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.gateway import installed, listening, running
from benchmarks.model_plant import (
    COPIES,
    DETECTORS,
    NAME,
    SHIFT_S,
    Played,
    added,
    beyond_limits,
    gateway_file,
    message,
    models,
    of_copy,
    played,
    signals_of,
)
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.site_training import model_signer
from forewarn.catalog import Catalog
from forewarn.domain.access import Role
from forewarn.domain.assets import Signal
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.findings import ENSEMBLE, Finding
from forewarn.domain.model_delivery import Side
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.rollouts import Rollout
from forewarn.domain.signal_table import SignalTable
from forewarn.gateway.models.folder import Plan
from forewarn.gateway.wire import Wire
from forewarn.kit.clock import SECOND, from_rfc3339, now_us
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.machine_watch import MachineWatch
from tests.peers.processes import free_port, mosquitto
from tests.site_process import SiteProcess

QUICK = "--quick" in sys.argv
HZ = next((int(word[5:]) for word in sys.argv if word.startswith("--hz=")), 10)
WARM_S, QUIET_S, BUSY_S = (5, 5, 15) if QUICK else (10, 20, 45)
WAYS = ("no models", "champions", "and a rollout")
LIFTED, LIFT_S, LIFT_EVERY_S = "discharge_pressure", 5, 6
DEED = Deed(AuditAction.MODEL_CHANGED, "bench", "a model")
IMPORT = """
import time
began = time.perf_counter()
import forewarn.app.gateway.running
print(time.perf_counter() - began)
from forewarn.app.trained_plugins import InstalledDetectors
found = InstalledDetectors()
for name in {names!r}:
    found[name]
print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Prepared:
    """Of all ways alike. beyond: see `beyond_limits`."""

    of: Played
    champions: list[MachineModel]
    challengers: list[MachineModel]
    beyond: list[dict[str, Any]]


class Device:
    """Publishes a copy of the six pumps a message. A process of its own, so that it keeps no listener from hearing."""

    def __init__(self, of: Played, beyond: list[dict[str, Any]], port: int) -> None:
        self._values, self._port = np.round(of.values, 4), port
        self._names = [[of_copy(name, copy) for name in of.names] for copy in range(COPIES)]
        place = {name: (copy, i) for copy, names in enumerate(self._names) for i, name in enumerate(names)}
        order = np.random.default_rng(1).permutation(len(beyond))
        self._beyond = [(place[beyond[i]["id"]], beyond[i]["alarm"], beyond[i]["value"]) for i in order]
        self._lifted = [place[name] for names in self._names for name in names if name.endswith(f".{LIFTED}")]
        self.said: Queue[Any] = Queue()

    def __call__(self) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="device")
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        sent: dict[str, int] = {}
        began = time.monotonic()
        for tick in range((WARM_S + QUIET_S + BUSY_S) * HZ):
            if tick in (WARM_S * HZ, (WARM_S + QUIET_S) * HZ):
                self.said.put(None)
            busy = tick - (WARM_S + QUIET_S) * HZ
            one, lifted = self._odd(busy, sent), self._lifted[busy // (LIFT_EVERY_S * HZ) % len(self._lifted)]
            for copy, names in enumerate(self._names):
                row = self._values[tick + copy * SHIFT_S * HZ].copy()
                if busy >= 0 and lifted[0] == copy and busy % (LIFT_EVERY_S * HZ) < LIFT_S * HZ:
                    row[lifted[1]] *= 1.1
                if one is not None and one[0] == copy:
                    row[one[1]] = one[2]
                body = message(names, row.tolist(), time.time_ns() // 1_000_000)
                client.publish(f"digital_twin/c{copy}/telemetry", body, qos=1)
            time.sleep(max(0.0, began + (tick + 1) / HZ - time.monotonic()))
        self.said.put(sent)
        client.loop_stop()
        client.disconnect()

    def _odd(self, busy: int, sent: dict[str, int]) -> tuple[int, int, float] | None:
        """Twice a second, at any moment of it, a signal that was not beyond its limit before: copy, column, value."""
        every = max(HZ // 2, 1)
        number, moment = divmod(busy, every)
        if busy < 0 or moment != 3 * number % every or number >= len(self._beyond):
            return None
        (copy, column), alarm, value = self._beyond[number]
        sent[alarm] = time.time_ns()
        return copy, column, value


@dataclass(frozen=True)
class Seen:
    """Of a gateway at one moment."""

    at: float
    cpu_s: float
    read: int
    kept: int
    sent: int
    resident_mb: float


def seen(process: psutil.Process, page: int) -> Seen:
    status = httpx.get(f"http://127.0.0.1:{page}/status.json", timeout=10).json()
    sums = status["ledger"]
    used, resident = sum(process.cpu_times()[:2]), process.memory_info().rss / 1e6
    return Seen(time.monotonic(), used, sums["read"], sums["kept"], status["uplink"]["sent_bytes"], resident)


def until(holds: Callable[[], bool], what: str, limit_s: float = 120.0) -> float:
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > limit_s:
            raise RuntimeError(f"waited {limit_s:.0f} s in vain: {what}")
        time.sleep(0.1)
    return time.monotonic() - began


def plan(folder: Path) -> Plan:
    file = folder / "data" / "models" / "plan.json"
    return msgspec.json.decode(file.read_bytes(), type=Plan) if file.exists() else Plan()


def equipped(site: SiteProcess, given: Prepared, way: int) -> int:
    """The site has the models, not yet running; how many bytes of artifacts its gateway fetches."""
    settings, total = Settings(directory=site.directory), 0
    signer = model_signer(settings)
    with open_site_catalog(settings) as catalog:
        if way:
            ids, total = added(catalog.models, given.champions, signer)
            for version in ids.values():
                catalog.models.promote(version, lambda _before, _after: DEED)
        if way > 1:
            ids, more = added(catalog.models, given.challengers, signer)
            catalog.models.start(Rollout("bench", ids, now_us(), since=now_us()), DEED)
            total += more
    return total


def measured(way: int, given: Prepared, python: Path) -> dict[str, str]:
    """Lines of the table, by what they say."""
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as closing:
        folder, broker, page = Path(temporary), free_port(), free_port()
        site = SiteProcess(folder / "site", FOREWARN_ROLLOUT_STEP_HOURS="1000")
        file = gateway_file(folder, broker, page, site.url, HZ)
        site.apply(file)
        artifacts = equipped(site, given, way)
        with site.credentials() as credentials:
            key = credentials.machine(NAME, role=Role.GATEWAY).token
        (folder / "key").write_text(key)
        closing.callback(site.stop)
        site.start()
        closing.enter_context(mosquitto(folder / "broker", broker))
        process = closing.enter_context(running(python, file))
        heard = closing.enter_context(listening(broker))
        machines = len(given.champions)

        def holds() -> bool:
            here = plan(folder)
            acting, tried = machines if way else 0, machines if way > 1 else 0
            return len(here.used) == acting and len(here.wanted.trials) == tried and _answers(page)

        ready = until(holds, f"models: {plan(folder)}")
        names = httpx.get(
            f"{site.url}/api/v1/gateways/{NAME}/models", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
        print(f"{WAYS[way]}: gateway ready after {ready:.1f} s; {WARM_S + QUIET_S + BUSY_S} s begin", flush=True)
        device = Device(given.of, given.beyond, broker)
        publisher = Process(target=device)
        publisher.start()
        moments: list[Seen] = []
        busy_at = 0
        for _ in range(3):
            sent = device.said.get()
            moments.append(seen(process, page))
            busy_at = now_us() if len(moments) == 2 else busy_at
        publisher.join()
        time.sleep(2)
        told = {"models": f"{artifacts / 1e3:,.0f} kB, list {len(names.content) / 1e3:.1f} kB"}
        return told | table_column(moments, sent, heard) | at_site(site, way, busy_at)


def _answers(page: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{page}/status.json", timeout=10).json()["uplink"]["state"] == "connected"
    except httpx.HTTPError:
        return False


def table_column(moments: list[Seen], sent: dict[str, int], heard: dict[str, int]) -> dict[str, str]:
    told = {}
    for phase, before, after in zip(("quiet", "busy"), moments, moments[1:], strict=False):
        spent, read = after.at - before.at, after.read - before.read
        told[f"{phase}: values/s taken"] = f"{read / spent:,.0f}"
        told[f"{phase}: of a core"] = f"{(after.cpu_s - before.cpu_s) / spent:.0%}"
        told[f"{phase}: of the values sent on"] = f"{(after.kept - before.kept) / max(read, 1):.1%}"
        told[f"{phase}: uplink bytes a value"] = f"{(after.sent - before.sent) / max(read, 1):.3f}"
        told[f"{phase}: resident at its end"] = f"{after.resident_mb:.0f} MB"
    delays = [(heard[alarm] - at) / 1e6 for alarm, at in sent.items() if alarm in heard]
    p50, p99 = np.percentile(delays, [50, 99]) if delays else (np.nan, np.nan)
    told["value to alarm, p50 / p99"] = f"{p50:.0f} / {p99:.0f} ms"
    told["alarms, of them never heard"] = f"{len(sent)}, {len(sent) - len(delays)}"
    return told


def at_site(site: SiteProcess, way: int, busy_at: int) -> dict[str, str]:
    """What came of it, so that a figure of nothing is seen as such: findings, and rows that had an opinion."""
    found = site.http.get("/api/v1/anomalies", params={"limit": 1000}).json()["anomalies"]
    told = {}
    for phase, is_busy in (("until busy", False), ("busy", True)):
        mine = [one for one in found if (from_rfc3339(one["detected_at"]) >= busy_at) is is_busy]
        by_models = sum(one["detector"] == ENSEMBLE for one in mine)
        told[f"{phase}: findings of models, others"] = f"{by_models}, {len(mine) - by_models}"
    if way > 1:
        with open_site_catalog(Settings(directory=site.directory)) as catalog:
            told["trial: rows, opinions"] = _opinions(catalog)
    return told


def _opinions(catalog: Catalog) -> str:
    sides = [t for t in catalog.observations.tallies({"bench"}) if t.side is Side.CHALLENGER]
    rows = sum(t.rows for t in sides)
    return f"{rows:,}, {sum(t.opinions for t in sides) / max(rows, 1):.0%}"


class _One:
    """A ModelSource of one model."""

    def __init__(self, model: MachineModel) -> None:
        self._model, self.revision = model, 1

    def models(self) -> list[MachineModel]:
        return [self._model]

    def refused(self) -> dict[str, Any]:
        return {}


def example(given: Prepared, signals: dict[str, list[Signal]]) -> Finding:
    """A machine's finding as the gateway's watch makes it."""
    model = given.champions[0]
    mine = signals[model.asset_id]
    values = given.of.past[-600:, given.of.columns[model.asset_id.rsplit("-", 1)[0]]].copy()
    values[-30:, [s.name for s in mine].index(LIFTED)] *= 1.1
    rows, width = values.shape
    at = now_us() // SECOND * SECOND + np.arange(rows) * SECOND
    watch = MachineWatch(_One(model), DETECTORS)
    watch.configure(SignalTable.of(mine))
    signal = np.repeat(np.array([s.key for s in mine], np.int32), rows)
    order = np.argsort(signal, kind="stable")
    flat, times = values.T.ravel(), np.tile(at, width)
    known = order[np.isfinite(flat[order])]
    batch = ReadingBatch(signal[known], times[known], flat[known], np.zeros(len(known), np.uint32), "bench", 1)
    return next(finding for finding in watch.score(batch) if finding.evidence is not None)


def evidence(finding: Finding) -> None:
    bare = replace(finding, evidence=None)
    wire = Wire()
    one, without = (len(wire.findings([f], []).body) for f in (finding, bare))
    ten = len(wire.findings([replace(finding, started_at=finding.started_at + i) for i in range(10)], []).body)
    plain = len(msgspec.json.encode(finding.evidence))
    print(f"a finding by a model: {one:,} bytes, {without} without evidence ({plain:,} as JSON), of ten {ten:,}")


def imported(python: Path) -> None:
    code = IMPORT.format(names=list(DETECTORS))
    took = [subprocess.check_output([python, "-c", code], text=True).split() for _ in range(5)]
    plain, all_of_it = np.median(np.array(took, float), axis=0)
    print(f"import: {plain:.2f} s, {all_of_it:.2f} s with the detectors of models (median of five)", flush=True)


def prepared(folder: Path) -> Prepared:
    began = time.perf_counter()
    of = played(12, WARM_S + QUIET_S + BUSY_S, HZ)
    signals = signals_of(gateway_file(folder, 1, 2, "http://127.0.0.1:1", HZ))
    sides = [models(of, signals, first) for first in (0, len(of.past) // 2)]
    given = Prepared(of, sides[0], sides[1], beyond_limits(signals))
    width, took = sum(map(len, signals.values())), time.perf_counter() - began
    print(f"{len(signals)} machines, {width} signals, {width * HZ:,} values/s; models made in {took:.0f} s", flush=True)
    evidence(example(given, signals))
    return given


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        word = next((word.removeprefix("--python=") for word in sys.argv if word.startswith("--python=")), "")
        python = Path(word) if word else installed(folder / "venv")
        imported(python)
        given = prepared(folder)
        columns = [measured(way, given, python) for way in range(len(WAYS))]
    print(f"\n{'':34s}" + "".join(f"{way:>26s}" for way in WAYS))
    for line in dict.fromkeys(name for column in columns for name in column):
        print(f"{line:34s}" + "".join(f"{column.get(line, ''):>26s}" for column in columns))


if __name__ == "__main__":
    main()
