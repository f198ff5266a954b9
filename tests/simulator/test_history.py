import csv
import hashlib
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from forewarn.domain.errors import InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import DAY, HOUR, SECOND, from_rfc3339
from forewarn.simulator.batches import LABELS_FILE, STATE_FILE, demo_past, history_batches
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.history import SCHEMA, write_history
from forewarn.simulator.plant import SimulatedPlant

END = 1_767_225_600 * SECOND  # 2026-01-01T00:00Z


def _digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())}


def test_files_a_day_sorted_by_time_and_complete(tmp_path: Path) -> None:
    shares: list[float] = []
    summary = write_history(tmp_path, 2.5, 60.0, 7, END, progress=shares.append)
    names = sorted(f.name for f in tmp_path.glob("*.parquet"))
    assert names == ["2025-12-29.parquet", "2025-12-30.parquet", "2025-12-31.parquet", "2026-01-01.parquet"]
    tables = [pq.read_table(tmp_path / n) for n in names]
    assert tables[0].schema.field("time").type == SCHEMA.field("time").type
    assert sum(t.num_rows for t in tables) == summary.readings == 3600 * 105
    times = np.concatenate([t["time"].cast("int64").to_numpy() for t in tables])
    assert (np.diff(times) >= 0).all()
    assert (int(times[0]), int(times[-1])) == (summary.start_us, END)
    signals = {s for t in tables for s in pc.unique(t["signal_id"].cast("string")).to_pylist()}
    assert len(signals) == 105
    assert all(str(t["time"][0].as_py().date()) == n[:10] for t, n in zip(tables, names, strict=True))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert (tmp_path / "plant.toml").read_text().count("[[asset]]") == 11


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_history(tmp_path / name, 3.0, 120.0, 7, END)
    write_history(tmp_path / "c", 3.0, 120.0, 8, END)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    assert _digests(tmp_path / "a") != _digests(tmp_path / "c")


def test_bad_quality_is_not_a_number_and_the_other_way_round(tmp_path: Path) -> None:
    write_history(tmp_path, 30.0, 600.0, 7, END)
    value, quality = [], []
    for file in tmp_path.glob("*.parquet"):
        table = pq.read_table(file)
        value.append(table["value"].to_numpy())
        quality.append(table["quality"].to_numpy())
    bad = np.concatenate(quality) != 0
    assert 0 < bad.sum() < 0.02 * len(bad)
    np.testing.assert_array_equal(np.isnan(np.concatenate(value)), bad)


def test_labels_agree_with_the_data(tmp_path: Path) -> None:
    write_history(tmp_path, 45.0, 600.0, 7, END)
    labels = list(csv.DictReader((tmp_path / LABELS_FILE).open()))
    assert len({row["fault"] for row in labels}) >= 5
    failures = [row for row in labels if row["functional_failure_at"]]
    assert failures
    table = pq.read_table(sorted(tmp_path.glob("*.parquet")))
    ids, times = table["signal_id"].cast("string").to_numpy(), table["time"].cast("int64").to_numpy()
    value = table["value"].to_numpy()
    for row in failures:
        speed = "Motor_RPM" if row["asset_id"] == "pump-302" else "speed"
        failed = from_rfc3339(row["functional_failure_at"])
        ended = from_rfc3339(row["ended_at"]) if row["ended_at"] else END
        down = (ids == f"{row['asset_id']}.{speed}") & (times > failed + 300 * SECOND) & (times < ended)
        assert (value[down] == 0.0).all(), row
    for row in labels:
        assert row["started_at"] <= (row["ended_at"] or "9999")
        assert datetime.fromisoformat(row["started_at"])


def test_healthy_history_has_no_labels_and_chosen_assets_only(tmp_path: Path) -> None:
    summary = write_history(tmp_path, 2.0, 60.0, 7, END, assets=["fan-301"], faults=False)
    assert summary.labels == 0
    assert summary.readings == 2880 * 6
    table = pq.read_table(tmp_path / "2025-12-31.parquet")
    assert {s.split(".")[0] for s in pc.unique(table["signal_id"].cast("string")).to_pylist()} == {"fan-301"}


@pytest.mark.parametrize(
    ("days", "step", "assets"), [(0.0, 1.0, None), (1.0, 0.0, None), (1.0, 1.0, ["nope"]), (1e9, 1.0, None)]
)
def test_wrong_arguments_are_refused(tmp_path: Path, days: float, step: float, assets: list[str] | None) -> None:
    with pytest.raises(InvalidInput):
        write_history(tmp_path, days, step, 1, END, assets=assets)


def test_batches_carry_the_callers_keys_in_time_order_and_number_themselves() -> None:
    plant = SimulatedPlant(demo_machines(), 1, END)
    keys = {s: i + 1 for i, s in enumerate(plant.signal_ids) if not s.startswith("fan")}
    batches = list(history_batches(plant, ((100, 10 * SECOND), (50, SECOND)), keys, rows=1000, first_sequence=5))
    assert [b.sequence for b in batches] == list(range(5, 5 + len(batches)))
    whole = ReadingBatch.concatenate(batches)
    assert len(whole) == 150 * len(keys)
    assert (np.diff(whole.time) >= 0).all()
    assert max(len(b) for b in batches) <= 1000
    assert set(np.unique(whole.signal)) == set(keys.values())
    twin = SimulatedPlant(demo_machines(), 1, END).advance(100, 10 * SECOND)
    column = plant.signal_ids.index("pump-103.flow")
    np.testing.assert_array_equal(whole.value[whole.signal == column + 1][:100], twin.value[:, column])


def test_the_demos_past_has_one_repaired_bearing_and_hands_over_its_state(tmp_path: Path) -> None:
    ids = SimulatedPlant(demo_machines(), 1, END).signal_ids
    keys = {s: i + 1 for i, s in enumerate(ids)}
    past = ReadingBatch.concatenate(list(demo_past(tmp_path, keys, END + 1, coarse_days=1.0, fine_hours=0.5)))
    assert past.time[-1] == END
    assert past.time[0] == END - DAY + 10 * SECOND
    labels = list(csv.DictReader((tmp_path / LABELS_FILE).open()))
    assert [(r["asset_id"], r["fault"]) for r in labels] == [("pump-102", "bearing_wear")]
    shaking = past.signal == keys["pump-102.vibration"]
    assert past.value[shaking].max() > 5.1
    assert past.value[shaking & (past.time > END - HOUR // 2)].max() < 3.2
    plant = SimulatedPlant(demo_machines(), 1, 0)
    plant.load(tmp_path / STATE_FILE)
    first = plant.advance(60, SECOND)
    last = past.time == END
    jump = np.abs(np.median(first.value, axis=0) - past.value[last])
    assert (jump <= 0.05 * np.abs(past.value[last]) + 0.15).all()
