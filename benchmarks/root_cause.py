"""How often the ranked fault hypotheses name the fault that the simulated plant was given.

Run: `python -m benchmarks.root_cause [days] [-v]`. One machine of each template and each fault that fits it, at
severities 0.4, 0.6 and 0.8, on `days` days of different weather and load. Reference: two healthy days of the same
machine before; a signal's deviation is the median of the last 15 minutes against the 500 reference rows nearest in
speed, over their robust sigma. No model has a say, shares of blame are left unknown. The fault grows for an hour and
stays for one. Beside it what needs no knowledge: always the same answer (the best one of each template), which knows
how often each fault occurs here.
"""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from forewarn.kit.clock import DAY, HOUR, SECOND
from forewarn.policies.asset_templates import TEMPLATES
from forewarn.policies.fault_signatures import Deviations, RankedFault, ranked_faults
from forewarn.policies.signal_roles import role_of
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.faults import FAULTS, fits
from forewarn.simulator.machines import Machine
from forewarn.simulator.plant import Block, SimulatedPlant

ASSETS = ("pump-101", "pump-302", "motor-201", "compressor-201", "fan-301")
SEVERITIES = (0.4, 0.6, 0.8)
STEP = 10 * SECOND
START = 1_767_571_200 * SECOND  # a Monday, midnight UTC
NEAREST, WINDOW = 500, 90


def deviations(machine: Machine, names: list[str], past: Block, now: Block) -> Deviations:
    kinds = {s.name: s.kind for s in TEMPLATES[machine.template].signals}
    speed = next(i for i, n in enumerate(names) if role_of(n, kinds[n]) == "speed")
    window = now.value[-WINDOW:]
    at_speed = float(np.nanmedian(window[:, speed]))
    near = past.value[np.argsort(np.abs(past.value[:, speed] - at_speed), kind="stable")[:NEAREST]]
    usual = np.nanmedian(near, axis=0)
    sigma = 1.4826 * np.nanmedian(np.abs(near - usual), axis=0)
    sigma = np.maximum(sigma, 1e-4 * np.maximum(np.abs(usual), 1.0))
    steps = np.nanmedian(np.abs(np.diff(past.value, axis=0)), axis=0)
    moved, usually = (np.nan_to_num(np.abs(np.diff(v, axis=0))).mean(axis=0) for v in (window, past.value))
    restless = moved / np.maximum(usually, 1e-12)
    restless[(steps == 0.0) | np.isnan(window).any(axis=0)] = np.nan  # a coarse instrument stands still by itself
    return Deviations(
        names=names,
        kinds=[kinds[n] for n in names],
        level=(np.nanmedian(window, axis=0) - usual) / sigma,
        share=np.full(len(names), np.nan),
        restlessness=restless,
        missing=np.isnan(window).mean(axis=0),
        running=at_speed > 0.1 * float(np.nanmax(past.value[:, speed])),
    )


def trials(machine: Machine, day: int) -> Iterator[tuple[str, float, tuple[RankedFault, ...]]]:
    """(fault or '', severity, hypotheses) for all faults of one machine on one day."""
    plant = SimulatedPlant([machine], 100 + day, START + 3 * day * DAY + (6 + 3 * day % 12) * HOUR, wear_rate=0.0)
    plant.warm_up()
    past = plant.advance(2 * DAY // STEP, STEP)
    names = [s.split(".", 1)[1] for s in plant.signal_ids]
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.json"
        plant.save(state)
        for fault in ("", *(f for f in FAULTS if fits(f, machine.template))):
            for severity in SEVERITIES if fault else SEVERITIES[:1]:
                plant.load(state)
                if fault:
                    plant.inject(machine.id, fault, severity, 3600.0)
                now = plant.advance(2 * HOUR // STEP, STEP)
                yield fault, severity, ranked_faults(machine.template, deviations(machine, names, past, now))


def main(days: int = 12, *, verbose: bool = False) -> None:
    machines = {m.id: m for m in demo_machines() if m.id in ASSETS}
    hits: dict[tuple[str, str], list[tuple[bool, bool, bool]]] = defaultdict(list)
    false = healthy = 0
    for asset in ASSETS:
        for day in range(days):
            for fault, severity, ranked in trials(machines[asset], day):
                if not fault:
                    healthy, false = healthy + 1, false + bool(ranked)
                    if verbose and ranked:
                        print(
                            f"  {asset} healthy: {ranked[0].fault} {ranked[0].score:.2f}: {ranked[0].told().speaks_for}"
                        )
                    continue
                named = [r.fault for r in ranked]
                hits[machines[asset].template, fault].append((fault in named[:1], fault in named[:2], bool(named)))
                if verbose and fault not in named[:1]:
                    told = "; ".join(
                        f"{r.fault} {r.score:.2f} ({r.told().speaks_for} | {r.told().speaks_against})" for r in ranked
                    )
                    print(f"  {asset} {fault} {severity}: {told}")
    _print(hits)
    print(f"healthy: a hypothesis in {false} of {healthy} windows")


def _print(hits: dict[tuple[str, str], list[tuple[bool, bool, bool]]]) -> None:
    templates = list(dict.fromkeys(t for t, _ in hits))
    print("| fault | " + " | ".join(templates) + " | all |\n|---|" + "---|" * (len(templates) + 1))
    for fault in FAULTS:
        rows = [hits.get((t, fault), []) for t in templates]
        print(f"| {fault} | " + " | ".join(map(_cell, [*rows, _joined(rows)])) + " |")
    rows = [_joined(r for (t, _), r in hits.items() if t == template) for template in templates]
    everything = _joined(rows)
    print("| all | " + " | ".join(map(_cell, [*rows, everything])) + " |")
    of = [[len(r) for (t, _), r in hits.items() if t == template] for template in templates]
    guess = [f"{max(n) / sum(n):.0%} / {sum(sorted(n)[-2:]) / sum(n):.0%}" for n in of]
    total = sum(map(sum, of))
    best = f"{sum(map(max, of)) / total:.0%} / {sum(sum(sorted(n)[-2:]) for n in of) / total:.0%}"
    print("| always the same answer | " + " | ".join([*guess, best]) + " |")
    print(f"top 1 / top 2 of {len(everything)} trials; no hypothesis in {sum(not h[2] for h in everything)}")


def _joined(rows: Iterable[list[tuple[bool, bool, bool]]]) -> list[tuple[bool, bool, bool]]:
    return list(chain.from_iterable(rows))


def _cell(rows: list[tuple[bool, bool, bool]]) -> str:
    return f"{np.mean([r[0] for r in rows]):.0%} / {np.mean([r[1] for r in rows]):.0%}" if rows else "-"


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    main(*numbers[:1], verbose="-v" in sys.argv)
