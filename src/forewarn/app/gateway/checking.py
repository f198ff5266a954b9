"""`forewarn gateway check`: the file, then every signal read once from the live devices; and `browse`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from forewarn.app.gateway.collecting import connectors_of
from forewarn.app.gateway.reading import read_gateway_file
from forewarn.app.terminal import say
from forewarn.contracts.browser import Browser
from forewarn.domain.assets import Plant, Signal
from forewarn.domain.errors import ConfigurationError
from forewarn.gateway.checking import Found, SignalCheck, SourceCheck, check_source
from forewarn.gateway.supervisor import prepare
from forewarn.policies.rules import default_rules

_STYLE: Final = {Found.GOOD: "green", Found.UNCERTAIN: "yellow"}
_OLD_S: Final = 60.0


def check_gateway(file: Path, seconds: float, console: Console) -> bool:
    """True when every signal with a source was read and is good."""
    settings, plant = read_gateway_file(file)
    rules = default_rules(plant)
    say(
        f"{file}: gateway {settings.name}, {len(plant.sources)} sources, {len(plant.assets)} assets, "
        f"{len(plant.signals)} signals, {len(rules)} alarm rules",
        to=console,
    )
    with console.status(f"Reading every signal once, {seconds:g} s at most"):
        checks = asyncio.run(_check_all(plant, seconds))
    for check in checks:
        _show(check, console)
    read = sum(s.found in (Found.GOOD, Found.UNCERTAIN) for check in checks for s in check.signals)
    wanted = sum(len(check.signals) for check in checks)
    say(
        f"{read} of {wanted} signals read." + ("" if read == wanted else " The rest says above what to do."), to=console
    )
    return all(check.ok for check in checks)


def _keyed(plant: Plant) -> list[Signal]:
    return [replace(signal, key=key) for key, signal in enumerate(plant.signals, 1)]


async def _check_all(plant: Plant, seconds: float) -> list[SourceCheck]:
    connectors = connectors_of(plant.sources)
    signals = _keyed(plant)
    return await asyncio.gather(
        *(
            check_source(source, [s for s in signals if s.source == source.name], connectors, seconds)
            for source in plant.sources
        )
    )


def _show(check: SourceCheck, console: Console) -> None:
    head = Text.assemble(("ok    " if check.ok else "bad   ", "green" if check.ok else "red"), check.source.name)
    head.append(f" ({check.source.connector})", "dim")
    if check.connected_after_s is not None:
        head.append(f", connected after {check.connected_after_s:.2f} s", "dim")
    console.print(head, highlight=False)
    if check.problem:
        say(f"      {check.condition or 'failed'}: {check.problem}", to=console)
    widths = [
        max((len(cell) for cell in column), default=0) for column in zip(*map(_cells, check.signals), strict=True)
    ]
    for one in check.signals:
        console.print(_line(one, widths), highlight=False, soft_wrap=True)
    told = {one.remark for one in check.signals}
    for remark in check.remarks:
        if remark not in told:
            say(f"      {remark}", to=console)


def _cells(one: SignalCheck) -> tuple[str, str, str, str]:
    heard = one.found is not Found.NOTHING
    value = f"{one.value:g} {one.signal.unit}" if heard else ""
    return one.found.value, one.signal.id, value, _age(one.age_s)


def _line(one: SignalCheck, widths: Sequence[int]) -> Text:
    state, name, value, age = (cell.ljust(width) for cell, width in zip(_cells(one), widths, strict=True))
    line = Text.assemble("      ", (state, _STYLE.get(one.found, "red")), f"  {name}  {value}  ")
    old = one.age_s is not None and abs(one.age_s) > _OLD_S
    line.append(age, "yellow" if old else "dim")
    line.append(f"  {one.signal.address}", "dim")
    if one.quality:
        line.append(f"  quality 0x{one.quality:08X}", "yellow")
    if one.remark:
        line.append(f"  {one.remark}", "yellow")
    return line


def _age(age_s: float | None) -> str:
    if age_s is None:
        return ""
    if age_s < -1:
        return f"{-age_s:,.1f} s ahead of our clock"
    return f"{max(age_s, 0.0):,.1f} s ago"


def browse_source(file: Path, name: str, match: Sequence[str], most: int, console: Console) -> None:
    """Print what a source offers, as lines that can stand in the gateway file."""
    _, plant = read_gateway_file(file)
    source = next((s for s in plant.sources if s.name == name), None)
    if source is None:
        known = ", ".join(s.name for s in plant.sources) or "none"
        raise ConfigurationError(f"there is no source {name!r}; there are: {known}", where=str(file))
    connector, request = prepare(source, [], connectors_of(plant.sources))
    if not isinstance(connector, Browser):
        raise ConfigurationError(
            f"connector {source.connector!r} cannot be browsed: its protocol has no list of points"
        )
    found = asyncio.run(_browse(connector, request.settings, match, most, console))
    say(f"{found} points." + (" There may be more: ask for more with --most." if found >= most else ""), to=console)


async def _browse(connector: Browser, settings: BaseModel, match: Sequence[str], most: int, console: Console) -> int:
    count = 0
    async for point in connector.browse(settings, match, most):
        count += 1
        unit = f" {point.unit}" if point.unit else ""
        line = Text.assemble((point.path, "bold"), f"  address = {point.address!r}  {point.kind}")
        line.append(f"  {point.value}{unit}", "cyan")
        if point.description:
            line.append(f"  {point.description}", "dim")
        console.print(line, highlight=False, soft_wrap=True)
    return count
