"""`forewarn audit` on a site's directory, as somebody types it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import seal_of
from forewarn.catalog import open_catalog
from forewarn.domain.audit import AuditAction, Deed
from tests.catalog.audit_logs import disarm, opened


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Three entries, in the second of which somebody tried to sign in with a name that clears the screen."""
    settings = Settings(directory=tmp_path)
    with open_catalog(settings.catalog_url, now=lambda: 1_700_000_000_000_000, seal=seal_of(settings)) as catalog:
        catalog.audit.record(Deed(AuditAction.SIGNED_IN, "asha", "session 1", address="10.0.0.7"))
        catalog.audit.record(Deed(AuditAction.SIGN_IN_REFUSED, "\x1b[2J[red]eve\n", "-", address="10.0.0.8"))
        catalog.audit.record(Deed(AuditAction.ALARM_ACTED, "asha", "p1/vib-high", why="bearing ordered"))
    return tmp_path


def audit(site: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "forewarn", "audit", *arguments, "--directory", str(site)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOREWARN_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    return done.returncode, done.stdout + done.stderr


def test_a_whole_log_is_said_to_be_whole(site: Path) -> None:
    status, said = audit(site, "verify")
    assert (status, "3 entries, the last is 3: nothing was changed, removed or added." in said) == (0, True), said


def test_every_fault_is_a_line_and_the_status_1(site: Path) -> None:
    database = opened(Settings(directory=site).catalog_url)
    disarm(database)
    with database.write() as connection:
        connection.execute(text("UPDATE audit SET actor = 'ravi' WHERE number = 1"))
        connection.execute(text("DELETE FROM audit WHERE number = 3"))
    database.close()
    status, said = audit(site, "verify")
    assert status == 1
    for line in (
        "entry 1 was changed or put there, or the entry before it was",
        "audit_head names entry 3, but the last entry is 2",
        "entries 3 to 3 were cut off: the anchor names entry 3",
    ):
        assert line in said.splitlines()


def test_it_shows_the_newest_below_and_lets_no_name_command_the_terminal(site: Path) -> None:
    status, said = audit(site, "show")
    assert status == 0
    first, second, third = said.splitlines()
    assert first.split() == ["1", "2023-11-14T22:13:20Z", "signed_in", "asha", "session", "1", "10.0.0.7"]
    assert r"\x1b[2J[red]eve\n" in second
    assert third.endswith("asha  p1/vib-high  (bearing ordered)")
    assert audit(site, "show", "--limit", "1")[1].splitlines() == [third]


def test_without_a_catalog_or_the_key_it_says_so_and_makes_neither(site: Path, tmp_path: Path) -> None:
    status, said = audit(tmp_path / "elsewhere", "verify")
    assert (status, "there is no catalog" in said) == (1, True)
    assert not (tmp_path / "elsewhere").exists()
    key = site / "secrets" / "audit_key"
    key.unlink()
    status, said = audit(site, "verify")
    assert (status, "audit_key is missing: restore it from a backup" in said) == (1, True), said
    assert not key.exists()
