"""InfluxDB 1.x (Debian's package) on loopback, as the comparison needs it."""

import http.client
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  wal-fsync-delay = "0s"
  index-version = "tsi1"
  max-series-per-database = 0
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  max-body-size = 0
[monitor]
  store-enabled = false
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Influx:
    """One keep-alive connection: write line protocol, ask InfluxQL."""

    def __init__(self, port: int, folder: Path) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._port, self.folder = port, folder

    def another(self) -> "Influx":
        """A connection more."""
        return Influx(self._port, self.folder)

    def write(self, body: bytes) -> None:
        self._http.request("POST", "/write?db=bench&precision=s", body)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status != http.client.NO_CONTENT:
            raise RuntimeError(text.decode())

    def ask(self, query: str) -> bytes:
        """The answer as it came; one that is no answer raises in `rows`."""
        form = urllib.parse.urlencode({"db": "bench", "q": query, "epoch": "s"})
        self._http.request("POST", "/query", form, {"Content-Type": "application/x-www-form-urlencoded"})
        return self._http.getresponse().read()

    def rows(self, told: bytes) -> int:
        """Rows of an answer, over all series. Raises RuntimeError when it is none."""
        result = json.loads(told)["results"][0]
        if "error" in result:
            raise RuntimeError(result["error"])
        return sum(len(series["values"]) for series in result.get("series", []))

    def bytes_at_rest(self) -> int:
        return sum(f.stat().st_size for part in ("data", "wal") for f in (self.folder / part).rglob("*") if f.is_file())


@contextmanager
def influxdb(folder: Path) -> Iterator[Influx]:
    """Raises SystemExit with the remedy when it is not installed."""
    program = shutil.which("influxd")
    if program is None:
        raise SystemExit("InfluxDB is not installed. On Debian: apt-get install influxdb (the service need not run)")
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, rpc=free_port()))
    with (folder / "influxdb.log").open("wb") as log:
        process = subprocess.Popen([program, "-config", str(config)], stdout=log, stderr=log)
        try:
            yield _ready(port, folder)
        finally:
            process.terminate()
            process.wait(30)


def _ready(port: int, folder: Path) -> Influx:
    for _ in range(200):
        time.sleep(0.1)
        try:
            influx = Influx(port, folder)
            influx.rows(influx.ask("CREATE DATABASE bench"))
        except OSError:
            continue
        return influx
    raise SystemExit(f"InfluxDB did not start; its log is {folder / 'influxdb.log'}")
