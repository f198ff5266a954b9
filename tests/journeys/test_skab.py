"""SKAB, a real pump test bed: its files go through the front door; findings must lie where the labels are."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from forewarn.kit.clock import from_rfc3339
from tests.site_process import SiteProcess

WARM_UP = 400
CHANNELS = {
    "Accelerometer1RMS": ("vibration_acceleration", "g"),
    "Accelerometer2RMS": ("vibration_acceleration", "g"),
    "Current": ("current", "A"),
    "Pressure": ("pressure", "bar"),
    "Temperature": ("temperature", "degC"),
    "Thermocouple": ("temperature", "degC"),
    "Voltage": ("voltage", "V"),
    "Volume Flow RateRMS": ("flow", "l/min"),
}
# Measured when this was written: 28 of 34. Fewer than this and the detectors have become worse.
FOUND_AT_LEAST = 25


def _skab() -> pa.Table:
    folder = os.environ.get("FOREWARN_DATA", "")
    file = Path(folder) / "skab/skab_v0.9.parquet"
    if not folder or not file.is_file():
        pytest.skip("FOREWARN_DATA names no folder with skab/skab_v0.9.parquet (GPL-3 data, not part of this project)")
    return pq.read_table(file)


def _asset(name: str) -> str:
    return "skab-" + name.replace("/", "-")


def _plant(names: tuple[str, ...]) -> str:
    text = ""
    for name in names:
        text += f'[[asset]]\nid = "{_asset(name)}"\nname = "SKAB {name}"\npath = "skoltech/skab/rig/loop"\n'
        for channel, (kind, unit) in CHANNELS.items():
            text += f'[asset.signals."{channel.replace(" ", "_")}"]\nkind = "{kind}"\nunit = "{unit}"\n'
    return text


@pytest.mark.slow
def test_findings_lie_in_the_labelled_spans(tmp_path: Path) -> None:
    table = _skab()
    names = tuple(sorted(set(table["file"].to_pylist())))
    plant = tmp_path / "plant.toml"
    plant.write_text(_plant(names))
    site = SiteProcess(tmp_path / "site", FOREWARN_LOG_LEVEL="warning")
    site.apply(plant)
    site.start()
    found, early = [], []
    for name in names:
        spans, time, label = _findings(site, table, name, tmp_path)
        if any(first <= label[-1] and last >= label[0] for first, last in spans):
            found.append(name)
        if any(first <= time[WARM_UP - 1] for first, _ in spans):
            early.append(name)
    assert site.stop() == 0
    assert not early, f"a finding in the first {WARM_UP} points of {early}"
    assert len(found) >= FOUND_AT_LEAST, f"findings in the labelled span of only {len(found)} of {len(names)}"


def _findings(
    site: SiteProcess, table: pa.Table, name: str, folder: Path
) -> tuple[list[tuple[int, int]], np.ndarray, np.ndarray]:
    """(first, last) of each finding of one replayed file; all times; the labelled times."""
    rows = table.filter(pc.equal(table["file"], name)).sort_by("datetime")
    recording = folder / f"{_asset(name)}.parquet"
    pq.write_table(rows.select(["datetime", *CHANNELS]), recording)
    sent = site.run("replay", str(recording), "--asset", _asset(name), "--speed", "0", "--url", site.url)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert f"{rows.num_rows * len(CHANNELS)} accepted" in sent.stdout
    answer = site.http.get("/api/v1/anomalies", params={"asset_id": _asset(name), "limit": 1000})
    anomalies = answer.json()["anomalies"]
    spans = [(from_rfc3339(a["detected_at"]), from_rfc3339(a["last_at"])) for a in anomalies]
    time = rows["datetime"].cast(pa.timestamp("us")).cast("int64").to_numpy()
    return spans, time, time[rows["anomaly"].to_numpy() == 1]
