"""`forewarn simulate`: the plant on disk, or live behind its servers."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from forewarn.kit.clock import now_us, to_rfc3339
from forewarn.simulator.history import write_history
from forewarn.simulator.live import LivePlantConfig, run_live


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the plant's servers listen on loopback; 0 takes a free port."""

    opcua: int
    modbus: int
    mqtt: int


def serve(state: Path, ports: Ports, seed: int, watch_stdin: bool) -> None:
    """Until standard input closes (with `watch_stdin`), or SIGINT."""
    config = LivePlantConfig(
        state_dir=state,
        opcua_port=ports.opcua,
        modbus_port=ports.modbus,
        mqtt_port=ports.mqtt,
        seed=seed,
        watch_stdin=watch_stdin,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run_live(config))


def write(out: Path, days: float, step_s: float, seed: int, faults: bool, progress: Progress) -> str:
    """Write history; a sentence about what was written."""
    task = progress.add_task("simulating", total=1000)
    done = write_history(
        out,
        days,
        step_s,
        seed,
        now_us(),
        faults=faults,
        progress=lambda share: progress.update(task, completed=int(share * 1000)),
    )
    span = f"{to_rfc3339(done.start_us)} to {to_rfc3339(done.end_us)}"
    return (
        f"{done.readings:,} readings in {done.files} files ({done.bytes / 1e6:,.0f} MB), {done.labels} labelled "
        f"faults, {span}, in {done.seconds:.1f} s: {out}"
    )
