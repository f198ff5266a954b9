"""How long before its end the RMS and kurtosis of a real bearing pass the limits that it set itself when new.

Run: `FOREWARN_DATA=... python -m benchmarks.bearing_lead_time`. FEMTO / PRONOSTIA (Nectoux et al., PHM 2012): 17
bearings run to failure in 0.5-8 h under overload, a snapshot of 0.1 s every 10 s. The set holds features, not
waveforms, so this tries the baselines and limits of the vibration detector (HealthyWindows, its defaults, median of
three windows) on RMS, crest factor and kurtosis of both directions, not the envelope. A finding opens when a window is
over the limit again at least 5 s and less than 30 s later. The end is when the rig stopped at 20 g. Beside it what
needs no sensor: an alarm at 60 windows, the end of the warm-up, "finds" every bearing; so read the lead time together
with the share of the first half of life over the limit.
"""

import os
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from forewarn.policies.healthy_windows import HealthySettings, HealthyWindows

COLUMNS = ("h_rms", "h_crest", "h_kurt", "v_rms", "v_crest", "v_kurt")
FLOOR = np.array([0.1 / 9.80665, 5.0, 4.5] * 2)
STEP_US = 10_000_000
SETTINGS = HealthySettings(60, 128, 4096, 1.5, 0.99, 6.0, 8, 604_800_000_000)


def ratios(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Worst confirmed ratio of each snapshot [n]; NaN in warm-up."""
    healthy = HealthyWindows(SETTINGS, FLOOR)
    slot = healthy.allocate(1)
    recent = np.zeros((3, features.shape[1]))
    worst = np.full(len(features), np.nan)
    for i, row in enumerate(features):
        ratio = np.nan_to_num(row / healthy.limit[slot[0]])
        recent = np.concatenate((recent[1:], ratio[None]))
        confirmed = float(np.median(recent, axis=0).max())
        if not np.isnan(healthy.limit[slot[0]]).all():
            worst[i] = confirmed
        calm = np.array([max(confirmed, float(ratio.max())) <= 1.0])
        healthy.learn(slot, row[None], np.array([i * STEP_US]), calm)
    return worst


def _lasting(over: NDArray[np.bool_]) -> int:
    """Snapshots before the end at which that stretch begins of which at least half is over the limit, to the end."""
    to_end = np.cumsum(over[::-1]) / np.arange(1, len(over) + 1)
    half = np.flatnonzero((to_end >= 0.5) & over[::-1])
    return int(half[-1]) if len(half) else 0


def main() -> None:
    file = Path(os.environ["FOREWARN_DATA"]) / "femto" / "femto_features.parquet"
    rows = pq.read_table(file)
    leads, lasting, early = [], [], []
    print("| bearing | life h | first finding h before the end | lasting from h before | first half over the limit |")
    print("|---|---|---|---|---|")
    for bearing in sorted(pc.unique(rows["bearing"]).to_pylist()):
        part = rows.filter(pc.equal(rows["bearing"], bearing)).sort_by("snap")
        features = np.column_stack([part[c].to_numpy() for c in COLUMNS])
        over = ratios(features) > 1.0
        twice = np.flatnonzero(over[1:] & (over[:-1] | np.r_[False, over[:-2]])) + 1
        n = len(over)
        life = n * STEP_US / 3.6e9
        lead = (n - 1 - twice[0]) * STEP_US / 3.6e9 if len(twice) else np.nan
        leads.append(lead)
        lasting.append(_lasting(over) * STEP_US / 3.6e9)
        early.append(over[60 : n // 2].mean())
        print(f"| {bearing} | {life:.2f} | {lead:.2f} | {lasting[-1]:.2f} | {early[-1]:.1%} |")
    found = np.array(leads)
    found = found[~np.isnan(found)]
    print(f"found before the end: {len(found)} of {len(leads)}; median lead {np.median(found) * 60:.0f} min,", end=" ")
    print(f"of what lasts {np.median(lasting) * 60:.0f} min;", end=" ")
    print(f"first half of life over the limit, median {np.median(early):.1%}, mean {np.mean(early):.1%}")


if __name__ == "__main__":
    main()
