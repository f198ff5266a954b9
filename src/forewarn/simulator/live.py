"""The plant live: physics at the clock's pace behind real OPC UA, Modbus and MQTT servers, in one process."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.kit.clock import DAY, HOUR, SECOND, now_us
from forewarn.simulator.addresses import registers, signal_names
from forewarn.simulator.batches import LABELS_FILE, STATE_FILE
from forewarn.simulator.catalogue import SENSORS
from forewarn.simulator.control import PlantControl
from forewarn.simulator.deathbed import free_port
from forewarn.simulator.demo_plant import DEMO_MACHINES, Wire, demo_machines
from forewarn.simulator.episodes import write_labels
from forewarn.simulator.modbus_server import PlantModbusServer
from forewarn.simulator.mqtt_broker import PlantMqttBroker
from forewarn.simulator.mqtt_publisher import PlantMqttPublisher
from forewarn.simulator.opcua_server import PlantOpcUaServer
from forewarn.simulator.plant import Block, SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml

PLANT_FILE = "plant.toml"
_CATCH_UP = 7 * DAY  # an older state is not worth living through


@dataclass(frozen=True, slots=True)
class LivePlantConfig:
    """state_dir: state, labels, plant file and the broker's files. Port 0 = a free one.

    tick_s: time between two instants. speed: how many times faster bearings wear (timestamps stay true).
    watch_stdin: read control lines and stop when stdin closes; without it, only a signal stops the plant."""

    state_dir: Path
    host: str = "127.0.0.1"
    opcua_port: int = 0
    modbus_port: int = 0
    mqtt_port: int = 0
    seed: int = 1
    tick_s: float = 1.0
    speed: float = 1.0
    watch_stdin: bool = True


class PlantServers:
    """The servers of the demo plant, each with the columns of the signals it carries."""

    def __init__(self, config: LivePlantConfig, plant: SimulatedPlant) -> None:
        host = config.host
        self.ports = tuple(p or free_port(host) for p in (config.opcua_port, config.modbus_port, config.mqtt_port))
        by_wire = {w: [d.machine for d in DEMO_MACHINES if d.wire is w] for w in Wire}
        column = {s: i for i, s in enumerate(plant.signal_ids)}
        ids = {w: [f"{m.id}.{n}" for m in ms for n in signal_names(m)] for w, ms in by_wire.items()}
        self._columns = {w: np.array([column[s] for s in names], np.intp) for w, names in ids.items()}
        opcua = [(m, s.name, s.unit) for m in by_wire[Wire.OPCUA] for s in SENSORS[m.template]]
        self.opcua = PlantOpcUaServer(host, self.ports[0], opcua)
        self.modbus = PlantModbusServer(host, self.ports[1], ids[Wire.MODBUS], registers(by_wire[Wire.MODBUS]))
        self.broker = PlantMqttBroker(host, self.ports[2], config.state_dir)
        on_mqtt = {m.id: [f"{m.id}.{n}" for n in signal_names(m)] for m in by_wire[Wire.MQTT]}
        self.mqtt = PlantMqttPublisher(host, self.ports[2], on_mqtt)
        self._host = host

    def plant_toml(self) -> str:
        return demo_plant_toml(self.opcua.url, self._host, self.ports[1], self._host, self.ports[2])

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """All servers listen inside; what was started is stopped, whatever happens."""
        async with contextlib.AsyncExitStack() as stack:
            for server in (self.opcua, self.modbus, self.broker, self.mqtt):
                await server.start()
                stack.push_async_callback(server.stop)
            yield

    async def publish(self, block: Block) -> None:
        """The last instant of the block on every wire."""
        time, value, quality = int(block.time[-1]), block.value[-1], block.quality[-1]
        self.modbus.publish(value[self._columns[Wire.MODBUS]])
        on_mqtt, on_opcua = self._columns[Wire.MQTT], self._columns[Wire.OPCUA]
        self.mqtt.publish(time, value[on_mqtt], quality[on_mqtt])
        await self.opcua.publish(time, value[on_opcua], quality[on_opcua])


async def run_live(config: LivePlantConfig) -> None:
    """Serve the demo plant until stdin closes, `stop` is asked for, SIGTERM comes or the task is cancelled.

    The first line on stdout says where everything listens; then one line for each control line.
    Raises ConfigurationError when a server cannot start or the broker dies."""
    if config.watch_stdin:
        _check_stdin()
    terminated = _on_sigterm()
    plant = live_plant(config)
    servers = PlantServers(config, plant)
    control = PlantControl(plant, config.state_dir / LABELS_FILE)
    async with servers.listening():
        await servers.publish(_next(plant, config))
        (config.state_dir / PLANT_FILE).write_text(servers.plant_toml(), encoding="utf-8")
        write_labels(config.state_dir / LABELS_FILE, plant.labels())
        _say(json.dumps(_ready(config, servers, plant)))
        ends = [_tick(config, plant, servers), servers.broker.ended(), terminated.wait()]
        jobs = [asyncio.ensure_future(end) for end in ([*ends, _obey(control)] if config.watch_stdin else ends)]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            plant.save(config.state_dir / STATE_FILE)
            write_labels(config.state_dir / LABELS_FILE, plant.labels())


def live_plant(config: LivePlantConfig) -> SimulatedPlant:
    """The plant at the present: goes on from the state the history or the last run left, else starts warm.

    Faults of an earlier run are repaired first."""
    config.state_dir.mkdir(parents=True, exist_ok=True)
    tick = round(config.tick_s * SECOND)
    present = now_us() // tick * tick
    with contextlib.suppress(InvalidInput, FileNotFoundError):
        plant = SimulatedPlant(demo_machines(), config.seed, present, config.speed)
        plant.load(config.state_dir / STATE_FILE)
        if 0 <= present - plant.now_us <= _CATCH_UP:
            for episode in plant.active():
                plant.clear(episode.asset_id, episode.fault)
            _catch_up(plant, present, tick)
            return plant
    plant = SimulatedPlant(demo_machines(), config.seed, present, config.speed)
    plant.warm_up()
    return plant


def _catch_up(plant: SimulatedPlant, present: int, tick: int) -> None:
    """Live through the gap: by minutes while it is long, by ticks at the end."""
    for step, until in ((60 * SECOND, present - HOUR), (tick, present)):
        for _ in plant.run((until - plant.now_us) // step, step):
            pass
    plant.now_us = present


def _next(plant: SimulatedPlant, config: LivePlantConfig) -> Block:
    return plant.advance(1, round(config.tick_s * SECOND))


async def _tick(config: LivePlantConfig, plant: SimulatedPlant, servers: PlantServers) -> None:
    """Each instant is published when its time has come. After a pause of the machine the missed instants are
    lived through but not published; should the clock be set back, the plant waits for it."""
    step = round(config.tick_s * SECOND)
    while True:
        due = (now_us() - plant.now_us) // step
        if due >= 1:
            *_, block = plant.run(due, step)
            await servers.publish(block)
        ahead = plant.now_us + step - now_us()
        await asyncio.sleep(min(max(ahead / SECOND, 0.001), config.tick_s))


def _on_sigterm() -> asyncio.Event:
    """Set by SIGTERM; never where signals cannot be watched (another thread than the main one)."""
    asked = asyncio.Event()
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    return asked


def _check_stdin() -> None:
    kind = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or sys.stdin.isatty()):
        raise ConfigurationError(
            "stdin is neither a pipe nor a terminal, so its end cannot be seen: give it one, or set watch_stdin off"
        )


async def _obey(control: PlantControl) -> None:
    """Until stdin closes (whoever started us is gone) or `stop`."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while not control.stopping and (line := await reader.readline()):
        if line.strip():
            _say(control.answer(line))


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _ready(config: LivePlantConfig, servers: PlantServers, plant: SimulatedPlant) -> dict[str, object]:
    return {
        "ready": True,
        "opcua_url": servers.opcua.url,
        "modbus_host": config.host,
        "modbus_port": servers.ports[1],
        "mqtt_host": config.host,
        "mqtt_port": servers.ports[2],
        "plant_file": str(config.state_dir / PLANT_FILE),
        "labels_file": str(config.state_dir / LABELS_FILE),
        "assets": [m.id for m in plant.machines],
    }
