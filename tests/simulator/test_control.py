import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.kit.clock import SECOND
from forewarn.simulator.control import PlantControl
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.episodes import LABEL_COLUMNS
from forewarn.simulator.plant import SimulatedPlant

START = 1_767_225_600 * SECOND


@pytest.fixture
def control(tmp_path: Path) -> PlantControl:
    return PlantControl(SimulatedPlant(demo_machines(), 1, START), tmp_path / "labels.csv")


def _ask(control: PlantControl, **request: object) -> dict[str, object]:
    answer: dict[str, object] = json.loads(control.answer(json.dumps(request)))
    return answer


def test_inject_status_clear_and_labels(control: PlantControl, tmp_path: Path) -> None:
    injected = _ask(control, id=1, op="inject", asset_id="pump-101", fault="imbalance", severity=0.8, ramp_s=5)
    active = {"asset_id": "pump-101", "fault": "imbalance", "severity": 0.8, "since": START}
    assert injected["id"] == 1
    assert injected["status"]["active"] == [active]  # type: ignore[index]
    assert _ask(control, id="x", op="status")["status"] == injected["status"]
    control._plant.advance(10, SECOND)
    assert _ask(control, id=2, op="clear", asset_id="pump-101", fault="imbalance")["status"]["active"] == []  # type: ignore[index]
    rows = list(csv.DictReader((tmp_path / "labels.csv").open()))
    assert tuple(rows[0]) == LABEL_COLUMNS
    assert rows == [
        {
            "asset_id": "pump-101",
            "fault": "imbalance",
            "component": "rotor",
            "severity": "0.8",
            "started_at": "2026-01-01T00:00:00Z",
            "functional_failure_at": "",
            "ended_at": "2026-01-01T00:00:10Z",
        }
    ]


def test_status_lists_every_fault_with_its_templates(control: PlantControl) -> None:
    status = _ask(control, id=1, op="status")["status"]
    assert {f["name"] for f in status["faults"]} == {  # type: ignore[index]
        "bearing_wear",
        "imbalance",
        "cavitation",
        "seal_leak",
        "impeller_wear",
        "clogged_filter",
        "sensor_stuck",
        "sensor_drift",
        "sensor_dropout",
    }
    assert all(f["title"] and f["description"] and f["templates"] for f in status["faults"])  # type: ignore[index]


@pytest.mark.parametrize(
    ("request_", "error", "field"),
    [
        ({"op": "explode"}, "invalid_input", "op"),
        ({"op": "inject", "asset_id": "pump-101", "fault": "imbalance"}, "invalid_input", "severity"),
        ({"op": "inject", "asset_id": 7, "fault": "imbalance", "severity": 1}, "invalid_input", "asset_id"),
        ({"op": "inject", "asset_id": "pump-101", "fault": "imbalance", "severity": 2}, "invalid_input", "severity"),
        ({"op": "inject", "asset_id": "pump-101", "fault": "imbalance", "severity": True}, "invalid_input", "severity"),
        ({"op": "inject", "asset_id": "fan-301", "fault": "cavitation", "severity": 1}, "invalid_input", "fault"),
        ({"op": "inject", "asset_id": "x", "fault": "imbalance", "severity": 1}, "not_found", None),
        ({"op": "clear", "asset_id": "pump-101", "fault": "imbalance"}, "not_found", None),
    ],
)
def test_refusals_name_the_field(
    control: PlantControl, request_: dict[str, object], error: str, field: str | None
) -> None:
    answer = _ask(control, id=9, **request_)
    refusal = answer["error"]
    assert (answer["id"], answer["ok"], refusal["kind"], refusal["field"]) == (9, False, error, field)  # type: ignore[index]
    assert refusal["detail"]  # type: ignore[index]


def test_stop_is_said_before_it_happens(control: PlantControl) -> None:
    assert _ask(control, id=1, op="stop")["status"]["running"] is False  # type: ignore[index]
    assert control.stopping


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none()
            | st.booleans()
            | st.floats()
            | st.text(max_size=8)
            | st.sampled_from(["inject", "clear", "status"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["id", "op", "asset_id", "fault", "severity", "ramp_s"]), inner, max_size=6
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_line_gets_exactly_one_json_line(tmp_path_factory: pytest.TempPathFactory, line: bytes) -> None:
    control = PlantControl(SimulatedPlant(demo_machines()[:1], 1, START), tmp_path_factory.getbasetemp() / "l.csv")
    answer = control.answer(line)
    assert "\n" not in answer
    assert isinstance(json.loads(answer)["ok"], bool)
