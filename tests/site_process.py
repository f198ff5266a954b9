"""A real site as a child process, for journeys: started, asked, killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from forewarn.app.access import access_parts
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.domain.access import Role
from forewarn.kit.passwords import PasswordHashing
from tests.credentials import Bearer, Credentials
from tests.ports import free_port


class SiteProcess:
    """`forewarn serve` (or `demo`) over `directory`; `log` collects what it prints."""

    program: tuple[str, ...] = ("-m", "forewarn")

    def __init__(self, directory: Path, *, command: tuple[str, ...] = ("serve",), **environment: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = directory.with_suffix(".log")
        self._command = command
        # What a site does by itself, a test that is about something else does not wait for.
        alone = {"FOREWARN_TRAINING_AUTO": "false", "FOREWARN_ROLLOUT_AUTO": "false"}
        self._environment = {**os.environ, **alone, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self._admin: Bearer | None = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A `forewarn` command to its end, over the same directory."""
        command = [sys.executable, "-m", "forewarn", *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120)

    def apply(self, plant_file: Path) -> None:
        done = self.run("apply", str(plant_file), "--directory", str(self.directory), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr

    @contextlib.contextmanager
    def credentials(self) -> Iterator[Credentials]:
        """Accounts and keys, made in the site's files; a running site knows them within a second."""
        settings = Settings(directory=self.directory)
        with open_site_catalog(settings) as catalog:
            yield Credentials(catalog, access_parts(settings, catalog, PasswordHashing(), demo=False).signer)

    def start(self, timeout_s: float = 120) -> "SiteProcess":
        if self._admin is None:
            with self.credentials() as credentials:
                self._admin = self.http.auth = credentials.person("tests")
                self._environment["FOREWARN_KEY"] = credentials.machine("replay", role=Role.PLANT_ENGINEER).token
        arguments = [*self._command, "--directory", str(self.directory), "--port", str(self.port)]
        with self.log.open("ab") as log:
            command = [sys.executable, *self.program, *arguments]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"the site ended by itself:\n{self.log.read_text()[-4000:]}")
            try:
                if self.http.get("/readyz").status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the site was not ready in {timeout_s} s:\n{self.log.read_text()[-4000:]}")

    def settle(self, timeout_s: float = 120) -> None:
        """Until its line has recorded and judged what was acknowledged."""
        caught_up = {"name": "line", "ok": True, "detail": "0 batches behind"}
        deadline = time.monotonic() + timeout_s
        while caught_up not in (checks := self.http.get("/readyz").json()["checks"]):
            assert time.monotonic() < deadline, checks
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: no goodbye, no flush."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """SIGTERM and wait; the exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        status = self._process.wait(60)
        self._process = None
        return status

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
