"""A disk that is read-only, full or not what was written when a gateway starts: told at once, and over by itself."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from forewarn.domain.access import Role
from tests.journeys.mounting import needs_disk
from tests.journeys.test_standby import GatewayProcess, until
from tests.peers.processes import free_port
from tests.site_process import SiteProcess

pytestmark = needs_disk
PLANT = """
[[source]]
name = "push"
connector = "webhook"
settings = {{ port = {push} }}

[[asset]]
id = "t1"
path = "acme/pune/water/line-1"

[asset.signals.level]
kind = "level"
unit = "m"
source = "push"
address = "level"
"""


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """One of its own, of 160 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=160m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


class Edge:
    """A site, and a gateway on that disk."""

    def __init__(self, folder: Path, disk: Path, site: SiteProcess) -> None:
        self.disk, self.site, self.page, self.push = disk, site, free_port(), free_port()
        text = PLANT.format(push=self.push)
        with site.credentials() as credentials:
            (folder / "key").write_text(credentials.machine("edge", role=Role.GATEWAY).token)
        file = folder / "gateway.toml"
        file.write_text(
            f"""
[gateway]
name = "edge"
directory = "{disk / "gateway"}"
thin = {{ method = "none", hold_s = 0.2 }}
uplink = {{ url = "{site.url}", key_file = "{folder / "key"}", heartbeat_s = 1, timeout_s = 5 }}
output = [{{ output = "local_page", settings = {{ port = {self.page} }} }}]
{text}"""
        )
        site.apply(file)
        self.gateway = GatewayProcess(file, self.page)

    def html(self) -> str:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.page}/", timeout=2).text
        return ""

    def at_site(self) -> dict[str, Any]:
        answer = self.site.http.get("/api/v1/gateways/edge")
        return dict(answer.json()) if answer.status_code == 200 else {}

    def tell(self, value: float) -> int:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.put(f"http://127.0.0.1:{self.push}/push/level", json={"value": value}, timeout=5)
            return answer.status_code
        return 0

    def waits(self, code: str) -> bool:
        """Here and at the site, with what to do."""
        at_site = self.at_site()
        held = {each["code"]: each for each in at_site.get("conditions_now", ())}
        page = self.html()
        return bool(
            code in held
            and at_site["state"] == "waiting_for_disk"
            and at_site["ledger"] is None
            and (held[code]["remedy"] or "Check" in held[code]["text"])
            and held[code]["remedy"] in page
            and "Waits for its disk" in page
            and "Adds up" not in page
        )

    def works(self) -> bool:
        status = self.gateway.status()
        return (
            bool(status.get("sources"))
            and not status.get("waits_for_disk")
            and not self.at_site().get("conditions_now", ["unheard"])
        )


@pytest.fixture
def edge(tmp_path: Path, disk: Path) -> Iterator[Edge]:
    site = SiteProcess(tmp_path / "site", FOREWARN_FLUSH_INTERVAL_S="2")
    made = Edge(tmp_path, disk, site)
    site.start()
    try:
        yield made
    finally:
        made.gateway.end(signal.SIGKILL)
        site.stop()


def read_only(edge: Edge) -> Callable[[], None]:
    mount("-o", "remount,ro", str(edge.disk))
    return lambda: mount("-o", "remount,rw", str(edge.disk))


def full(edge: Edge) -> Callable[[], None]:
    ballast = edge.disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 512):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return ballast.unlink


@pytest.mark.parametrize(("harm", "code"), [(read_only, "disk_read_only"), (full, "disk_full")])
@pytest.mark.parametrize("is_new", [True, False])
def test_it_says_so_and_goes_on_by_itself(
    edge: Edge, harm: Callable[[Edge], Callable[[], None]], code: str, is_new: bool
) -> None:
    if not is_new:
        edge.gateway.start()
        until(edge.works)
        until(lambda: edge.tell(1.0) == 200, 20)
        edge.gateway.end(signal.SIGKILL)
        (edge.disk / "gateway" / "outbox" / "outbox.reserve").unlink()  # it would let go of that and start
    mend = harm(edge)
    edge.gateway.start()
    until(lambda: edge.waits(code), 30)
    mend()
    until(edge.works, 60)
    until(lambda: edge.tell(2.0) == 200, 20)
    until(lambda: (edge.at_site()["ledger"] or {}).get("acknowledged", 0) >= 1 + (not is_new), 30)
    (ended,) = [each for each in edge.at_site()["journal"] if each["code"] == code]
    assert ended["ended_at"]
    assert os.listdir(edge.disk / "gateway")
