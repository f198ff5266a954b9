"""What it brings that machines of a template share the LSTM autoencoder's network: five simulated pumps, learned each
alone and together. Run: `python -m benchmarks.template_training [MOST_WINDOWS] [EPOCHS]`, some minutes of one core.

Two healthy weeks, a row every 30 s. Learned from the first twelve days, thinned to 4,000 rows a pump; figures are of
the last two days, which no network saw. Both ways hold out three blocks to find the healthy quantile and the threshold.
Error: mean absolute, in healthy ranges. Shift: as on the model's card (docs/operations/training.md).
"""

import sys
import time
from collections.abc import Mapping

import numpy as np

from forewarn.app.simulated_site import Stretch, live
from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.domain.assets import Signal
from forewarn.jobs.training.held_back import figures
from forewarn.learning.ensemble import EnsembleSettings
from forewarn.learning.machine_model import MachineModel, MachineSettings, learn_machine
from forewarn.learning.shared_part import FOLDS, Calibrated
from forewarn.learning.template_sample import PartName, machine_samples, part_names
from forewarn.plugins.trained_detectors.lstm_autoencoder import LstmAutoencoder
from forewarn.policies.alarm_budget import AlarmBudget
from forewarn.policies.operating_regimes import RegimeTrees

PUMPS = ("pump-101", "pump-102", "pump-103", "pump-104", "pump-105")
STEP_S = 30
BUDGET = AlarmBudget(row_s=STEP_S)
SETTINGS = MachineSettings(EnsembleSettings(folds=FOLDS, most_rows=4_000, budget=BUDGET))
Past = Mapping[str, tuple[list[Signal], Matrix, Matrix]]


def past() -> Past:
    """By pump: signals, rows to learn from, rows held back."""
    lived = live(Stretch(first_days=14, days=0, step_s=STEP_S))
    rows = np.where(lived.quality == 0, lived.value, np.nan)
    cut = len(rows) * 12 // 14
    return {
        pump: ([lived.signals[c] for c in lived.columns[pump]], rows[:cut, columns], rows[cut:, columns])
        for pump in PUMPS
        for columns in [lived.columns[pump]]
    }


def error(model: MachineModel, held: Matrix, lstm: LstmAutoencoder) -> float:
    """Mean over the rows of known regimes."""
    regime = RegimeTrees([model.regimes]).of(held[None], np.zeros(1, np.intp))[0]
    found = []
    for code, ensemble in enumerate(model.ensembles):
        if ensemble is not None:
            score = lstm.prepare([ensemble.members[0].parameters]).score(held[None], np.zeros(1, np.intp))[0]
            found.append(score[(regime == code) & ~np.isnan(score)])
    return float(np.concatenate(found).mean())


def told(way: str, seconds: float, models: Mapping[str, MachineModel], machines: Past, lstm: LstmAutoencoder) -> None:
    rows = []
    detectors: dict[str, TrainedDetector] = {lstm.name: lstm}
    for pump, model in models.items():
        signals, _, held = machines[pump]
        f = figures(model, held, [s.id for s in signals], detectors, BUDGET)
        m = f.metrics
        regimes = sum(e is not None for e in model.ensembles)
        row = (error(model, held, lstm), m["over_threshold"], m.get("shift_median", np.nan), m.get("shifts_found", 0.0))
        rows.append(row)
        print(
            f"  {pump} {regimes} regimes  error {row[0]:.4f}  over {row[1]:.2%}  shift {row[2]:.2f}  found {row[3]:.0%}"
        )
    mean = np.nanmean(np.array(rows), axis=0)
    means = f"error {mean[0]:.4f}  over {mean[1]:.2%}  shift {mean[2]:.2f}  found {mean[3]:.0%}"
    print(f"{way}: {seconds:.1f} s of processor  {means}", flush=True)


def alone(machines: Past, lstm: LstmAutoencoder) -> dict[str, MachineModel]:
    return {
        pump: learn_machine(pump, rows, signals, STEP_S * 1_000_000, {lstm.name: lstm}, SETTINGS)
        for pump, (signals, rows, _) in machines.items()
    }


def together(machines: Past, lstm: LstmAutoencoder, left_out: str = "") -> dict[str, MachineModel]:
    """left_out: a pump that the network is not learned from, and that is calibrated all the same."""
    names = part_names({lstm.name: lstm})
    known = [machine for pump, machine in machines.items() if pump != left_out]
    samples = [
        machine_samples(rows, signals, {lstm.name: lstm}, names, SETTINGS, 1 / len(known)) for signals, rows, _ in known
    ]
    parts = {name: lstm.fit_shared([s for sample in samples for s in sample[name]]) for name in names}
    without = tuple(parts[PartName(lstm.name, fold)] for fold in range(FOLDS))
    shared: dict[str, TrainedDetector] = {lstm.name: Calibrated(lstm, parts[PartName(lstm.name)], without)}
    wanted = {left_out: machines[left_out]} if left_out else machines
    return {
        pump: learn_machine(pump, rows, signals, STEP_S * 1_000_000, shared, SETTINGS)
        for pump, (signals, rows, _) in wanted.items()
    }


def main(most_windows: int = 1_024, epochs: int = 30) -> None:
    machines = past()
    lstm = LstmAutoencoder(most_windows=most_windows, epochs=epochs)
    quick = LstmAutoencoder(most_windows=64, epochs=1)
    quick.fit(next(iter(machines.values()))[1][:600])  # compiled once, for all
    print(f"{len(PUMPS)} pumps, {len(machines[PUMPS[0]][0])} signals, {most_windows} windows, {epochs} epochs at most")
    for way, learn in (("together", together), ("alone", alone)):
        began = time.process_time()
        models = learn(machines, lstm)
        told(way, time.process_time() - began, models, machines, lstm)
    began = time.process_time()
    strangers = together(machines, lstm, PUMPS[0])
    told("together, of a pump it was not learned from", time.process_time() - began, strangers, machines, lstm)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
