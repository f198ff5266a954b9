"""Fault episodes for a stretch of history, drawn from the seed."""

from collections.abc import Sequence

import numpy as np

from forewarn.kit.clock import DAY, HOUR, SECOND
from forewarn.simulator.episodes import Episode
from forewarn.simulator.faults import FAULTS, component, fits
from forewarn.simulator.machines import Machine
from forewarn.simulator.noise import generator

_QUIET_DAYS = 14.0  # mean time without an injected fault between two repairs of one machine
_FAILS = 0.35  # share of the severe mechanical episodes that nobody stops in time


def plan_episodes(machines: Sequence[Machine], seed: int, start_us: int, end_us: int) -> list[Episode]:
    """Episodes that begin in [start_us, end_us). Times shrink with stretches under 30 days, so that a short
    history has faults too. One machine has one injected fault at a time."""
    pace = min(1.0, (end_us - start_us) / (30 * DAY))
    planned = []
    for machine in machines:
        rng = generator(seed, machine.id, "plan")
        at = start_us + int(rng.exponential(_QUIET_DAYS) * pace * DAY)
        while at < end_us:
            episode = _episode(machine, rng, at, pace)
            planned.append(episode)
            at = (episode.ended_at or end_us) + int(rng.exponential(_QUIET_DAYS) * pace * DAY)
    return planned


def _episode(machine: Machine, rng: np.random.Generator, at: int, pace: float) -> Episode:
    # Bearings wear out by themselves (see `wear`); injecting that as well would give one bearing two truths.
    choices = [f for f in FAULTS if f != "bearing_wear" and fits(f, machine.template)]
    fault = choices[int(rng.integers(len(choices)))]
    severity = float(rng.uniform(0.4, 1.0))
    ramp_hours = float(rng.uniform(0.5, 6.0) if FAULTS[fault].of_sensor else rng.uniform(24.0, 144.0)) * pace
    hold_hours = float(rng.uniform(2.0, 36.0)) * pace
    repair_hours = float(rng.uniform(4.0, 24.0)) * pace
    fails = float(rng.random()) < _FAILS and severity > 0.6 and not FAULTS[fault].of_sensor
    full = at + int(ramp_hours * HOUR)
    ended = full + int((repair_hours if fails else hold_hours) * HOUR)
    return Episode(
        machine.id,
        fault,
        component(fault, machine.template),
        1.0 if fails else severity,
        at,
        (full - at) / SECOND,
        full if fails else None,
        ended,
    )
