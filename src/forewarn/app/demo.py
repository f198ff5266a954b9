"""`forewarn demo`: a simulated plant with a past, and a site that watches it."""

import shutil
import time
from concurrent.futures import Future
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from forewarn.app.listening import listen
from forewarn.app.plant import applied
from forewarn.app.serve import run_open_site
from forewarn.app.settings import Settings
from forewarn.app.simulation import ChildSimulation, simulate_command
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.tls import ServerTls
from forewarn.app.wiring import Site, open_site
from forewarn.contracts.batch_log import Appended
from forewarn.domain.errors import BatchLogFull, ConfigurationError
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import now_us
from forewarn.policies.plant_file import parse_plant
from forewarn.policies.rules import default_rules
from forewarn.simulator.batches import demo_past
from forewarn.simulator.deathbed import free_port
from forewarn.simulator.plant_toml import demo_plant_toml

FINE_HOURS = 2.0
HOST = "127.0.0.1"


def run_demo(settings: Settings, history_days: float, fresh: bool, console: Console) -> None:
    """Until SIGINT or SIGTERM. What an earlier demo stored is kept unless `fresh`."""
    if fresh:
        _forget(settings.directory)
    directory = settings.make_directory()
    simulator = directory / "simulator"
    simulator.mkdir(exist_ok=True)
    ports = (free_port(HOST), free_port(HOST), free_port(HOST))
    _describe(settings, ports)
    tls = ServerTls.of(settings)
    with listen(settings) as bound:
        simulation = ChildSimulation(_command(simulator, ports), simulator / "plant.log")
        try:
            with open_site(settings, simulation, demo=True) as site:
                if site.log.depth().last_offset == 0:
                    _pour_past(site, simulator, history_days, console)
                simulation.start()
                run_open_site(site, bound, lambda url: _greet(url, settings, history_days, console), tls=tls)
        finally:
            simulation.close()


def _greet(url: str, settings: Settings, days: float, console: Console) -> None:
    console.print(f"\n[bold green]Forewarn is watching the simulated plant:[/] [bold]{url}[/]")
    if settings.training_auto:
        when = "within the first minutes" if days >= 1 else "when it has seen a whole day"
        console.print(f"It learns what is healthy of each machine {when}: see Models.")
    hint = "Open it, go to Admin, inject a fault and watch the alarm come up. Ctrl-C ends it.\n"
    console.print(hint, soft_wrap=True)


def _command(simulator: Path, ports: tuple[int, int, int]) -> list[str]:
    opcua, modbus, mqtt = map(str, ports)
    listening = ("--opcua-port", opcua, "--modbus-port", modbus, "--mqtt-port", mqtt)
    return simulate_command("--serve", "--controlled", "--state", str(simulator), *listening)


def _forget(directory: Path) -> None:
    """Remove an earlier demo's data, and nothing that is not one."""
    if directory.exists() and any(directory.iterdir()) and not (directory / "simulator").is_dir():
        raise ConfigurationError(f"{directory} holds something else than a demo; remove it yourself or choose another")
    shutil.rmtree(directory, ignore_errors=True)


def _describe(settings: Settings, ports: tuple[int, int, int]) -> None:
    opcua, modbus, mqtt = ports
    toml = demo_plant_toml(f"opc.tcp://{HOST}:{opcua}/forewarn", HOST, modbus, HOST, mqtt)
    file = settings.directory / "plant.toml"
    file.write_text(toml, encoding="utf-8")
    plant = parse_plant(toml, str(file))
    with open_site_catalog(settings) as catalog:
        catalog.plant.apply(plant, default_rules(plant), lambda changes: applied(str(file), changes))


def _pour_past(site: Site, simulator: Path, days: float, console: Console) -> None:
    """The plant's past walks the same road as the present: through the door, judged, stored."""
    past = demo_past(
        simulator, site.plant.table.key_of, now_us(), coarse_days=days, fine_hours=min(FINE_HOURS, days * 24)
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} readings"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task(f"Living through the plant's last {days:g} days", total=None)
        pending: list[Future[Appended]] = []
        for batch in past:
            pending.append(_submit(site, batch))
            progress.advance(task, len(batch))
        for future in pending:
            future.result()
        progress.update(task, description="Judging them")
        last = site.log.depth().last_offset
        while site.line.health().last_offset < last:
            progress.advance(task, 0)
            time.sleep(0.1)


def _submit(site: Site, batch: ReadingBatch) -> Future[Appended]:
    while True:
        try:
            return site.door.submit(batch).appended
        except BatchLogFull as full:
            time.sleep(full.retry_after_s)
