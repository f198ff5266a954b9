"""What a drill does, one thing after another."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from forewarn.app.drill.workshop import Workshop
from forewarn.domain.errors import ForewarnError
from forewarn.domain.gateways import GatewayStatus
from forewarn.domain.sources import SourceState
from forewarn.gateway.drill.watch import Seen, Watch, is_well
from forewarn.kit.clock import HOUR

_RECOVERY_S: Final = 180.0
_LAST_READINGS_S: Final = 2.0
Deed = Callable[[Workshop], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """harm: what is done. mend: what ends it."""

    name: str
    words: str
    harm: Deed
    mend: Deed


@dataclass(frozen=True, slots=True)
class Outcome:
    """recovered_after_s: from the mending until all was well and everything was at the site; None = not within 3
    minutes."""

    scenario: Scenario
    seconds: float
    recovered_after_s: float | None
    seen: Seen


async def run_scenario(scenario: Scenario, workshop: Workshop, seconds: float) -> Outcome:
    async with Watch(workshop.look) as watch:
        await scenario.harm(workshop)
        await asyncio.sleep(seconds)
        await scenario.mend(workshop)
        recovered = await watch.until(is_well, _RECOVERY_S)
        return Outcome(scenario, seconds, recovered, watch.seen)


async def settle(workshop: Workshop) -> None:
    """Until all is well for the first time. Raises ForewarnError where it cannot become so."""
    async with Watch(workshop.look) as watch:
        done = await watch.until(lambda status: is_well(status) or bool(_misconfigured(status)), _RECOVERY_S)
        status = watch.last
    why = "; ".join(_misconfigured(status)) if status is not None else ""
    if done is None or why:
        raise ForewarnError(
            f"the drill cannot begin: {why or 'the gateway and its sources did not come up within 3 minutes'}. The end "
            f"of the gateway's log:\n{workshop.gateway.tail()}"
        )


def _misconfigured(status: GatewayStatus) -> list[str]:
    return [f"{s.name}: {s.last_error}" for s in status.sources if s.state is SourceState.MISCONFIGURED]


async def run_dry(workshop: Workshop) -> bool:
    """Take the devices away and wait until the site has everything; False when it has not after 3 minutes."""
    for name, cable in workshop.cables.items():
        if name != "site":
            await cable.cut()
    async with Watch(workshop.look) as watch:
        for _ in range(2):  # what is on its way from a device is not counted yet when the first look finds nothing
            await asyncio.sleep(_LAST_READINGS_S)
            if await watch.until(_is_dry, _RECOVERY_S) is None:
                return False
    return True


def _is_dry(status: GatewayStatus) -> bool:
    return status.ledger.pending == 0 and status.ledger.in_hand == 0


def scenarios_of(workshop: Workshop) -> Sequence[Scenario]:
    """Those that this gateway's file allows, in the order they are run in."""
    found = [
        Scenario("site-cut", "the network to the site is cut", _cut("site"), _mended("site")),
        Scenario("site-frozen", "the site takes connections and says nothing", _freeze("site"), _mended("site")),
        Scenario("site-killed", "the site is killed (kill -9) and started again", _kill_site, Workshop.start_site),
    ]
    for name, connector in workshop.connectors.items():
        if name not in workshop.cables:
            continue
        what = "broker" if connector in ("mqtt", "sparkplug") else "device"
        found += [
            Scenario(f"{name}-cut", f"the cable to the {what} {name} is pulled", _cut(name), _mended(name)),
            Scenario(f"{name}-frozen", f"the {what} {name} freezes", _freeze(name), _mended(name)),
        ]
    return [
        *found,
        Scenario("disk-full", "the gateway's disk takes no more", _fill_disk, _free_disk),
        Scenario("clock-ahead", "the gateway's clock jumps an hour ahead", _clock(HOUR), _clock(0)),
        Scenario("clock-behind", "the gateway's clock jumps an hour back", _clock(-HOUR), _clock(0)),
        Scenario("killed", "the gateway is killed (kill -9) and started again", _kill, _start),
        Scenario("killed-alone", "it is killed while the site is away", _kill_alone, _start_and_mend),
    ]


def _cut(cable: str) -> Deed:
    async def cut(workshop: Workshop) -> None:
        await workshop.cables[cable].cut()

    return cut


def _freeze(cable: str) -> Deed:
    async def freeze(workshop: Workshop) -> None:
        workshop.cables[cable].freeze()

    return freeze


def _mended(cable: str) -> Deed:
    async def mend(workshop: Workshop) -> None:
        await workshop.cables[cable].mend()

    return mend


async def _kill_site(workshop: Workshop) -> None:
    await workshop.site.kill()


async def _fill_disk(workshop: Workshop) -> None:
    workshop.gateway.limit_files(small=True)


async def _free_disk(workshop: Workshop) -> None:
    workshop.gateway.limit_files(small=False)


def _clock(ahead_us: int) -> Deed:
    async def jump(workshop: Workshop) -> None:
        workshop.set_clock(ahead_us)

    return jump


async def _kill(workshop: Workshop) -> None:
    await workshop.gateway.kill()


async def _start(workshop: Workshop) -> None:
    await workshop.start_gateway()


async def _kill_alone(workshop: Workshop) -> None:
    await workshop.cables["site"].cut()
    await asyncio.sleep(2)
    await workshop.gateway.kill()


async def _start_and_mend(workshop: Workshop) -> None:
    await workshop.start_gateway()
    await workshop.cables["site"].mend()
