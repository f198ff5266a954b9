"""How long after its injection every fault of the simulated plant has raised an alarm, on a real site at real pace.

Run: `python -m benchmarks.fault_alarms [severity] [ramp_s] [fault ...]`; all faults take half an hour. Starts
`forewarn demo` over a directory of its own, waits until the learning detectors have settled, then injects one fault a
machine at a time, as the Admin page does, and asks for the machine's alarms twice a second. Prints one row a
(template, fault).
"""

import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.site_process import SiteProcess

WATCH_S = 150.0
RECOVER_S = 300.0
PUMPS = ("pump-101", "pump-103", "pump-105", "pump-301")
MACHINES = {
    "centrifugal_pump": PUMPS,
    "pump_dialect": ("pump-302",),
    "induction_motor": ("motor-201",),
    "compressor": ("compressor-201",),
    "fan": ("fan-301",),
}


@dataclass
class Trial:
    template: str
    asset: str
    fault: str
    injected: float = 0.0
    seen: dict[str, tuple[float, str]] = field(default_factory=dict)


def rounds(faults: list[dict[str, Any]]) -> list[list[Trial]]:
    """Trials so that no machine has two faults in one round."""
    made: dict[int, list[Trial]] = defaultdict(list)
    for template, assets in MACHINES.items():
        fitting = [f["name"] for f in faults if template in f["templates"]]
        for number, fault in enumerate(fitting):
            made[number // len(assets)].append(Trial(template, assets[number % len(assets)], fault))
    return [made[i] for i in sorted(made)]


def alarms(site: SiteProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.http.get("/api/v1/alarms").json()["alarms"]
    return found


def quiet(site: SiteProcess) -> None:
    """Wait until nothing of the last round stands, and put away what has returned."""
    until = time.monotonic() + RECOVER_S
    watched = {asset for assets in MACHINES.values() for asset in assets}
    while time.monotonic() < until and any(a["active"] for a in alarms(site) if a["asset_id"] in watched):
        time.sleep(2)
    ids = [a["id"] for a in alarms(site) if a["state"] in ("unacknowledged", "returned")]
    if ids:
        body = {"ids": ids, "action": "acknowledge", "by": "benchmark"}
        site.http.post("/api/v1/alarms/actions", json=body)


def watch(site: SiteProcess, trials: list[Trial], severity: float, ramp_s: float) -> None:
    standing = {a["id"] for a in alarms(site) if a["active"]}
    for trial in trials:
        body = {"asset_id": trial.asset, "fault": trial.fault, "severity": severity, "ramp_s": ramp_s}
        trial.injected = time.time()
        site.http.post("/api/v1/simulation/faults", json=body).raise_for_status()
    until = time.monotonic() + WATCH_S
    while time.monotonic() < until:
        now = time.time()
        for alarm in alarms(site):
            for trial in trials:
                if trial.asset == alarm["asset_id"] and alarm["active"] and alarm["id"] not in standing:
                    kind = "advisory" if alarm["priority"] == "advisory" else "alarm"
                    trial.seen.setdefault(kind, (now - trial.injected, alarm["title"]))
        time.sleep(0.5)
    for trial in trials:
        query = {"asset_id": trial.asset, "fault": trial.fault}
        site.http.delete("/api/v1/simulation/faults", params=query).raise_for_status()


def row(trial: Trial) -> str:
    def told(kind: str) -> str:
        found = trial.seen.get(kind)
        return f"{found[0]:.0f} s: {found[1]}" if found else f"none in {WATCH_S:.0f} s"

    return f"| {trial.template} | {trial.fault} | {told('alarm')} | {told('advisory')} |"


def main(severity: float = 0.8, ramp_s: float = 20.0, *only: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = SiteProcess(Path(folder) / "demo", command=("demo", "--history-days", "1"))
        site.start(timeout_s=300)
        try:
            time.sleep(30)
            known = site.http.get("/api/v1/simulation").json()["faults"]
            faults = [f for f in known if not only or f["name"] in only]
            print(f"severity {severity:g}, ramp {ramp_s:g} s, {datetime.now():%Y-%m-%d}", flush=True)
            print("| template | fault | alarm | advisory |\n|---|---|---|---|", flush=True)
            for trials in rounds(faults):
                quiet(site)
                watch(site, trials, severity, ramp_s)
                print("\n".join(row(t) for t in trials), flush=True)
        finally:
            site.stop()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:3]), *sys.argv[3:])
