"""A `forewarn serve` of its own for a benchmark, with a plant of plain signals."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

GATEWAY: Final = "bench"


@dataclass(frozen=True)
class Served:
    """process: None when the server was given by address; then the key comes from FOREWARN_KEY."""

    host: str
    port: int
    signals_file: Path
    process: psutil.Process | None
    key: str

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def signed(self) -> dict[str, str]:
        """Headers of a machine that may read and write everything, as GATEWAY and what begins with `GATEWAY/`."""
        return {"Authorization": f"Bearer {self.key}"}


def plant_toml(assets: int, signals_each: int) -> str:
    """Assets m0, m1, ... with signals s0, s1, ... that have limits, so that every detector has work."""
    lines = []
    for a in range(assets):
        lines += ["[[asset]]", f'id = "m{a}"', f'name = "Machine {a}"', 'path = "bench/bench/bench/bench"', ""]
        for s in range(signals_each):
            lines += [f"[asset.signals.s{s}]", 'kind = "pressure"', 'unit = "bar"', "limits = { low = 10, high = 90 }"]
    return "\n".join(lines)


def signal_ids(url: str, key: str) -> list[str]:
    """Ids of every signal of the plant that `url` serves."""

    def get(path: str) -> dict[str, list[dict[str, str]]]:
        request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request) as answer:
            found: dict[str, list[dict[str, str]]] = json.load(answer)
        return found

    return [s["id"] for a in get("/api/v1/assets")["assets"] for s in get(f"/api/v1/assets/{a['id']}")["signals"]]


@contextlib.contextmanager
def served(directory: Path, url: str | None, assets: int = 100, signals_each: int = 100) -> Iterator[Served]:
    """The site at `url`, or one that is started in `directory` and ended afterwards."""
    signals_file = directory / "signals.json"
    if url is not None:
        host, _, port = url.rstrip("/").rpartition("//")[2].partition(":")
        key = os.environ["FOREWARN_KEY"]
        signals_file.write_text(json.dumps(signal_ids(url.rstrip("/"), key)))
        yield Served(host, int(port or 80), signals_file, None, key)
        return
    plant = directory / "plant.toml"
    plant.write_text(plant_toml(assets, signals_each))
    site = ["--directory", str(directory / "site")]
    subprocess.run(
        [sys.executable, "-m", "forewarn", "apply", str(plant), "--yes", *site], check=True, stdout=subprocess.DEVNULL
    )
    key = _new_key(site)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    child = subprocess.Popen([sys.executable, "-m", "forewarn", "serve", *site, "--port", str(port)])
    try:
        wait_ready(f"http://127.0.0.1:{port}", child)
        signals_file.write_text(json.dumps(signal_ids(f"http://127.0.0.1:{port}", key)))
        yield Served("127.0.0.1", port, signals_file, psutil.Process(child.pid), key)
    finally:
        child.terminate()
        child.wait(30)


def _new_key(site: list[str]) -> str:
    command = [sys.executable, "-m", "forewarn", "machines", "add", GATEWAY, "--role", "plant_engineer", "--key", *site]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return told.rpartition(" ")[2].strip()


def wait_ready(url: str, child: "subprocess.Popen[bytes]", seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(url + "/healthz").close()
            return
        if child.poll() is not None or time.monotonic() > until:
            raise SystemExit("the server did not start; its messages are above")
        time.sleep(0.1)
