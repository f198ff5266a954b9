"""What made the figures: machine, versions, time."""

import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from forewarn.jobs.evaluate.board import Run


def run_facts(started: float, seed: int) -> Run:
    """started: of time.perf_counter()."""
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    versions = {"Python": platform.python_version()} | {name: _version(name) for name in ("forewarn", "numpy")}
    return Run(at, round(time.perf_counter() - started, 1), _machine(), versions, seed)


def _machine() -> str:
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}"


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8", errors="replace").splitlines() if described.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
