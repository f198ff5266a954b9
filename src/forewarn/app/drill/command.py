"""`forewarn drill`: run the scenarios, tell what each did, and draw the sum."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from forewarn.app.drill.reckoning import reckon
from forewarn.app.drill.scenarios import Outcome, Scenario, run_dry, run_scenario, scenarios_of, settle
from forewarn.app.drill.workshop import open_workshop
from forewarn.app.gateway.ledger_command import show_ledger_of
from forewarn.app.simulation import ChildSimulation, simulate_command
from forewarn.app.terminal import say
from forewarn.domain.errors import ConfigurationError
from forewarn.gateway.drill.compare import Comparison
from forewarn.simulator.deathbed import free_port
from forewarn.simulator.plant_toml import demo_plant_toml

_HERE = "127.0.0.1"


def run_drill(
    file: Path | None, seconds: float, only: Sequence[str], keep: Path | None, console: Console, progress: Progress
) -> bool:
    """True when nothing was lost, all came back, and the ledger adds up. file: None drills a simulated plant."""
    with ExitStack() as closing:
        directory = keep if keep is not None else Path(closing.enter_context(tempfile.TemporaryDirectory()))
        if directory.exists() and any(directory.iterdir()):
            raise ConfigurationError(f"{directory} is not empty: a drill wants a folder of its own")
        directory.mkdir(parents=True, exist_ok=True)
        if file is None:
            file = _simulated_plant(directory, closing)
        outcomes = asyncio.run(_drill(file, directory, seconds, only, progress))
        comparison = reckon(directory)
        show_outcomes(outcomes, console)
        show_comparison(comparison, console)
        adds_up = show_ledger_of(directory / "gateway", console, hours=False)
    recovered = all(outcome.recovered_after_s is not None for outcome in outcomes)
    return recovered and comparison.ok and adds_up


async def _drill(file: Path, directory: Path, seconds: float, only: Sequence[str], progress: Progress) -> list[Outcome]:
    async with open_workshop(file, directory, (free_port(_HERE), free_port(_HERE))) as workshop:
        scenarios = _chosen(scenarios_of(workshop), only)
        with progress:
            task = progress.add_task("waiting until all is well", total=len(scenarios))
            await settle(workshop)
            outcomes = []
            for scenario in scenarios:
                progress.update(task, description=scenario.words)
                outcomes.append(await run_scenario(scenario, workshop, seconds))
                progress.advance(task)
            progress.update(task, description="waiting until the site has everything")
            await run_dry(workshop)
        return outcomes


def _chosen(scenarios: Sequence[Scenario], only: Sequence[str]) -> Sequence[Scenario]:
    names = [scenario.name for scenario in scenarios]
    if unknown := [name for name in only if name not in names]:
        raise ConfigurationError(f"there is no scenario {unknown[0]!r} here; there are: {', '.join(names)}")
    return [scenario for scenario in scenarios if not only or scenario.name in only]


def _simulated_plant(directory: Path, closing: ExitStack) -> Path:
    state = directory / "plant"
    state.mkdir()
    ports = (free_port(_HERE), free_port(_HERE), free_port(_HERE))
    opcua, modbus, mqtt = ports
    listening = ("--opcua-port", str(opcua), "--modbus-port", str(modbus), "--mqtt-port", str(mqtt))
    plant = ChildSimulation(
        simulate_command("--serve", "--controlled", "--state", str(state), *listening), state / "plant.log"
    )
    closing.callback(plant.close)
    plant.start()
    file = directory / "simulated.toml"
    toml = demo_plant_toml(f"opc.tcp://{_HERE}:{opcua}/forewarn", _HERE, modbus, _HERE, mqtt)
    file.write_text(f'{toml}\n[gateway]\nname = "drill"\n', encoding="utf-8")
    return file


def show_outcomes(outcomes: Sequence[Outcome], console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    columns: tuple[tuple[str, Literal["left", "right"]], ...] = (
        ("what was done", "left"),
        ("for", "right"),
        ("well again after", "right"),
        ("late", "right"),
        ("oldest", "right"),
        ("what the gateway said", "left"),
    )
    for name, justify in columns:
        table.add_column(name, justify=justify, overflow="fold")
    for outcome in outcomes:
        seen, after = outcome.seen, outcome.recovered_after_s
        table.add_row(
            outcome.scenario.words,
            f"{outcome.seconds:g} s",
            Text("not within 180 s", "red") if after is None else Text(f"{after:.1f} s", "green"),
            f"{seen.late:,}",
            f"{seen.longest_wait_s:.0f} s",
            ", ".join(sorted(seen.named)) or "nothing",
        )
    console.print(table, highlight=False)


def show_comparison(comparison: Comparison, console: Console) -> None:
    say(
        f"\n{comparison.taken:,} readings taken from the devices, {comparison.at_site:,} at the site: "
        f"{comparison.lost} lost, {comparison.changed} changed, {comparison.strange} doubled or strange.",
        to=console,
    )
    for example in comparison.examples:
        say(f"  {example}", to=console)
