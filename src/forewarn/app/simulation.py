"""The simulated plant as a child process, spoken to in JSON lines over its standard input and output."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import orjson

from forewarn.contracts.simulation import ActiveFault, FaultInfo, SimulationStatus
from forewarn.domain.errors import Conflict, ForewarnError, InvalidInput, NotFound

_ERRORS: dict[str, type[ForewarnError]] = {"not_found": NotFound, "invalid_input": InvalidInput, "conflict": Conflict}
_READY_S = 30.0
_ANSWER_S = 10.0


class ChildSimulation:
    """SimulationControl over `forewarn simulate --serve`; the child dies with this process.

    command: what starts the child. Its log goes to `log_file`.
    """

    def __init__(self, command: Sequence[str], log_file: Path) -> None:
        self._command = list(command)
        self._log_file = log_file
        self._lock = threading.RLock()
        self._child: subprocess.Popen[bytes] | None = None
        self._answers: Queue[dict[str, Any] | None] = Queue()
        self._number = 0
        self._last = SimulationStatus(available=True, running=False)

    def start(self) -> SimulationStatus:
        with self._lock:
            if self._running():
                raise Conflict("the simulation is already running")
            with self._log_file.open("ab") as log:
                # A session of its own: Ctrl-C is for us, and the plant outlives our sources. Its stdin ends with us.
                pipe = subprocess.PIPE
                self._child = subprocess.Popen(
                    self._command, stdin=pipe, stdout=pipe, stderr=log, start_new_session=True
                )
            self._answers = Queue()
            threading.Thread(target=_pump, args=(self._child, self._answers), daemon=True).start()
            if not self._next_answer(_READY_S).get("ready"):
                self._kill()
                raise ForewarnError(f"the simulated plant did not start; its log is {self._log_file}")
            return self.status()

    def stop(self) -> SimulationStatus:
        with self._lock:
            if not self._running():
                raise Conflict("the simulation is not running")
            self._kill()
            return self.status()

    def close(self) -> None:
        with self._lock:
            self._kill()

    def status(self) -> SimulationStatus:
        with self._lock:
            if not self._running():
                last = self._last
                return SimulationStatus(True, False, last.assets, last.faults, ())
            return self._ask("status")

    def inject(self, asset_id: str, fault: str, severity: float, ramp_s: float) -> SimulationStatus:
        with self._lock:
            return self._ask("inject", asset_id=asset_id, fault=fault, severity=severity, ramp_s=ramp_s)

    def clear(self, asset_id: str, fault: str) -> SimulationStatus:
        with self._lock:
            return self._ask("clear", asset_id=asset_id, fault=fault)

    def _running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def _ask(self, op: str, **arguments: object) -> SimulationStatus:
        if not self._running():
            raise Conflict("the simulation is not running; start it first")
        assert self._child is not None
        assert self._child.stdin is not None
        self._number += 1
        try:
            self._child.stdin.write(orjson.dumps({"id": self._number, "op": op, **arguments}) + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError as error:
            raise Conflict(f"the simulation has just ended; its log is {self._log_file}") from error
        answer = self._next_answer(_ANSWER_S)
        while answer.get("id") != self._number:
            answer = self._next_answer(_ANSWER_S)
        if "error" in answer:
            raise _ERRORS.get(answer["error"].get("kind", ""), InvalidInput)(answer["error"].get("detail", "refused"))
        self._last = _status(answer["status"])
        return self._last

    def _next_answer(self, timeout_s: float) -> dict[str, Any]:
        try:
            answer = self._answers.get(timeout=timeout_s)
        except Empty:
            answer = None
        if answer is None:
            self._kill()
            raise ForewarnError(f"the simulated plant does not answer; its log is {self._log_file}")
        return answer

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _pump(child: "subprocess.Popen[bytes]", answers: "Queue[dict[str, Any] | None]") -> None:
    assert child.stdout is not None
    for line in child.stdout:
        try:
            answers.put(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue  # a library printed something; answers are JSON objects only
    answers.put(None)


def _status(raw: dict[str, Any]) -> SimulationStatus:
    faults = tuple(FaultInfo(f["name"], f["title"], f["description"], tuple(f["templates"])) for f in raw["faults"])
    active = tuple(ActiveFault(a["asset_id"], a["fault"], a["severity"], a["since"]) for a in raw["active"])
    return SimulationStatus(True, True, tuple(raw["assets"]), faults, active)


def simulate_command(*arguments: str) -> list[str]:
    """The command line of `forewarn simulate` with this very interpreter."""
    return [sys.executable, "-m", "forewarn", "simulate", *arguments]
