"""`forewarn simulate`: the plant on disk, or live behind its servers."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from forewarn.app.log import quieten_libraries
from forewarn.domain.errors import InvalidInput
from forewarn.kit.clock import now_us, to_rfc3339
from forewarn.simulator.batches import LABELS_FILE
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
    if state.exists() and not state.is_dir():
        raise InvalidInput(f"{state} is a file: --state wants a folder", field="state")
    quieten_libraries()
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
    _check(out)
    with contextlib.ExitStack() as showing:

        def tell(share: float) -> None:
            # The bar comes with the first step: what is refused before shows none.
            if not progress.tasks:
                showing.enter_context(progress)
                progress.add_task("simulating", total=100)
            progress.update(progress.tasks[0].id, completed=int(share * 100))

        done = write_history(out, days, step_s, seed, now_us(), faults=faults, progress=tell)
    span = f"{to_rfc3339(done.start_us)} to {to_rfc3339(done.end_us)}"
    return (
        f"{done.readings:,} readings in {done.files} files ({done.bytes / 1e6:,.0f} MB), {done.labels} labelled "
        f"faults, {span}, in {done.seconds:.1f} s: {out}"
    )


def _check(out: Path) -> None:
    """Before the work. A plant file that a person wrote is not written over; history lies beside its labels."""
    if out.exists() and not out.is_dir():
        raise InvalidInput(f"{out} is a file: --out wants a folder", field="out")
    if (out / "plant.toml").exists() and not (out / LABELS_FILE).exists():
        raise InvalidInput(f"{out} holds a plant.toml that is not a simulation's: choose another folder", field="out")
