"""Control of the running plant: one JSON object a line in, one a line out."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from forewarn.contracts.simulation import ActiveFault, SimulationStatus
from forewarn.domain.errors import ForewarnError, InvalidInput, NotFound
from forewarn.simulator.episodes import write_labels
from forewarn.simulator.faults import FAULTS
from forewarn.simulator.plant import SimulatedPlant


class PlantControl:
    """Answers `{"id", "op", ...}` with `{"id", "ok": true, "status": SimulationStatus}` or
    `{"id", "ok": false, "error": {"kind": "not_found" | "invalid_input", "detail", "field"}}`.

    ops: status; inject (asset_id, fault, severity, ramp_s = 20); clear (asset_id, fault); stop.
    Every change rewrites the labels file."""

    def __init__(self, plant: SimulatedPlant, labels: Path) -> None:
        self._plant, self._labels = plant, labels
        self.stopping = False

    def status(self) -> SimulationStatus:
        active = [ActiveFault(e.asset_id, e.fault, e.severity, e.started_at) for e in self._plant.active()]
        return SimulationStatus(
            available=True,
            running=not self.stopping,
            assets=[m.id for m in self._plant.machines],
            faults=[f.info for f in FAULTS.values()],
            active=active,
        )

    def answer(self, line: str | bytes) -> str:
        """One line in, one line out (without its end); never raises for what the line says."""
        number: object = None
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise InvalidInput("a request is a JSON object")
            number = request.get("id")
            self._do(request)
            answer: dict[str, Any] = {"id": number, "ok": True, "status": asdict(self.status())}
        except ForewarnError as error:
            kind = "not_found" if isinstance(error, NotFound) else "invalid_input"
            answer = _refusal(number, kind, str(error), error.field if isinstance(error, InvalidInput) else None)
        except (ValueError, RecursionError) as error:
            answer = _refusal(number, "invalid_input", f"not JSON: {error}", None)
        return json.dumps(answer)

    def _do(self, request: Mapping[str, Any]) -> None:
        op = request.get("op")
        if op == "inject":
            severity, ramp = _number(request, "severity", None), _number(request, "ramp_s", 20.0)
            self._plant.inject(_text(request, "asset_id"), _text(request, "fault"), severity, ramp)
        elif op == "clear":
            asset, fault = _text(request, "asset_id"), _text(request, "fault")
            if not self._plant.clear(asset, fault):
                raise NotFound(f"{asset} has no active fault {fault!r}")
        elif op == "stop":
            self.stopping = True
        elif op != "status":
            raise InvalidInput(f"op {op!r} is none of status, inject, clear, stop", field="op")
        if op in ("inject", "clear"):
            write_labels(self._labels, self._plant.labels())


def _refusal(number: object, kind: str, detail: str, field: str | None) -> dict[str, Any]:
    return {"id": number, "ok": False, "error": {"kind": kind, "detail": detail, "field": field}}


def _text(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str):
        raise InvalidInput(f"{field} must be a text, not {value!r}", field=field)
    return value


def _number(request: Mapping[str, Any], field: str, default: float | None) -> float:
    value = request.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{field} must be a number, not {value!r}", field=field)
    return float(value)
