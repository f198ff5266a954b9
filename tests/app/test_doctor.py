"""The doctor on a machine and a site in good and in bad states; it never makes or mends anything."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.doctor import Check, examine
from forewarn.app.doctor.machine import clock
from forewarn.app.heartbeat import Heartbeat
from forewarn.app.settings import Settings
from forewarn.app.settings_reading import read_settings
from forewarn.app.wiring import open_site
from forewarn.catalog import open_catalog
from forewarn.domain.assets import SourceConfig
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import HOUR, now_us
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.historians.parquet import ParquetHistorian
from forewarn.policies.rules import default_rules
from tests.app.test_baselining import PLANT
from tests.site_process import SiteProcess, free_port


def report(settings: Settings) -> dict[str, Check]:
    """By name; of several checks of one name the first that is not ok."""
    found: dict[str, Check] = {}
    for check in examine(lambda: settings):
        if check.name not in found or found[check.name].ok:
            found[check.name] = check
    return found


def state(directory: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


def batch(sequence: int) -> ReadingBatch:
    time = now_us() + np.arange(100, dtype=np.int64)
    return ReadingBatch(np.ones(100, np.int32), time, np.ones(100), np.zeros(100, np.uint32), "gw", sequence)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(directory=tmp_path / "site", port=free_port())


@pytest.fixture
def stopped(settings: Settings) -> Settings:
    """A site that ran: a plant, 300 readings in the log and in the historian."""
    settings.make_directory()
    with open_catalog(settings.catalog_url) as catalog:
        catalog.plant.apply(PLANT, default_rules(PLANT))
    with closing(SqliteSpool(settings.directory / "log")) as log:
        with closing(ParquetHistorian(settings.directory / "historian")) as historian:
            for sequence in range(1, 4):
                log.append(batch(sequence)).result(10)
            historian.append(log.read(0, 1_000))
        log.commit("judge", 0)
    return settings


def test_a_new_place_is_well_and_nothing_is_made(settings: Settings) -> None:
    found = report(settings)
    assert not [check for check in found.values() if not check.ok and not check.warning]
    assert "the first start makes it" in found["data directory"].found
    assert "forewarn apply plant.toml" in found["catalog"].found
    assert not settings.directory.exists()


def test_a_stopped_site_is_told_and_not_touched(stopped: Settings) -> None:
    before = state(stopped.directory)
    found = report(stopped)
    assert (found["catalog"].ok, found["catalog"].found) == (True, "1 assets, 3 signals, 0 sources")
    assert found["batch log"].ok
    assert "300 readings in 3 batches, 0 of 8,192 MiB" in found["batch log"].found
    assert found["historian"].ok
    assert found["historian"].found.startswith("300 readings in ")
    assert state(stopped.directory) == before


def test_a_directory_that_is_none(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        check = report(settings.model_copy(update={"directory": place}))["data directory"]
        assert (check.ok, check.warning) == (False, False)
        assert f"{tmp_path / 'file'} is no directory" in check.found
        assert "--directory" in check.remedy
    long = settings.model_copy(update={"directory": tmp_path / ("x" * 300)})
    assert "too long" in report(long)["data directory"].found


def test_settings_that_cannot_be_read_are_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "forewarn.toml").write_text('port = "x"\nhost = 3\n')
    bad = [check for check in examine(read_settings) if check.name == "settings"]
    assert [check.ok for check in bad] == [False, False]
    assert "forewarn.toml: port = 'x'" in bad[1].found
    (tmp_path / "forewarn.toml").unlink()
    monkeypatch.setenv("FOREWARN_PORTT", "1")
    check = report(Settings(directory=tmp_path))["settings"]
    assert (check.warning, check.found) == (True, "FOREWARN_PORTT is not a setting")
    assert "FOREWARN_PORT" in check.remedy


def test_a_damaged_frame_is_named_with_the_command(stopped: Settings) -> None:
    with closing(sqlite3.connect(stopped.directory / "log" / "spool.db")) as other:
        other.execute("UPDATE frame SET crc = crc + 1 WHERE offset = 2")
        other.commit()
    check = report(stopped)["batch log"]
    assert (check.ok, check.warning) == (False, False)
    assert "frame 2 is damaged" in check.remedy
    assert "`forewarn log discard 2`" in check.remedy


def test_a_full_log_and_one_that_is_no_database(stopped: Settings) -> None:
    with closing(sqlite3.connect(stopped.directory / "log" / "spool.db")) as other:
        (size,) = other.execute("SELECT sum(length(body)) FROM frame").fetchone()
    small = stopped.model_copy(update={"log_capacity_mib": size * 1.1 / (1 << 20)})
    check = report(small)["batch log"]
    assert (check.ok, check.warning) == (False, True)
    assert "judge 3" in check.remedy
    assert "FOREWARN_LOG_CAPACITY_MIB" in check.remedy
    (stopped.directory / "log" / "spool.db").write_bytes(b"no database" * 1000)
    check = report(stopped)["batch log"]
    assert (check.ok, check.warning) == (False, False)
    assert "spool.db cannot be opened" in check.remedy


def test_damage_in_the_historian_is_named(stopped: Settings) -> None:
    lost = next((stopped.directory / "historian" / "minute").rglob("*.parquet"))
    lost.unlink()
    check = report(stopped)["historian"]
    assert (check.ok, check.warning) == (False, False)
    assert f"{lost} is missing" in check.found
    raw = next((stopped.directory / "historian" / "raw").rglob("*.parquet"))
    raw.write_bytes(raw.read_bytes()[:-1])
    said = [check.found for check in examine(lambda: stopped) if check.name == "historian"]
    assert len(said) == 2
    assert any(str(raw) in one for one in said)
    (stopped.directory / "historian" / "manifest.sqlite").write_bytes(b"no database" * 1000)
    assert "manifest" in report(stopped)["historian"].remedy


def test_a_catalog_that_is_none(stopped: Settings) -> None:
    (stopped.directory / "catalog.db").write_bytes(b"no database" * 1000)
    check = report(stopped)["catalog"]
    assert (check.ok, check.warning) == (False, False)
    assert "database" in check.remedy
    assert not report(stopped.model_copy(update={"database_url": "nonsense"}))["catalog"].ok


def test_an_old_catalog_is_not_upgraded(stopped: Settings) -> None:
    with closing(sqlite3.connect(stopped.directory / "catalog.db")) as other:
        other.execute("UPDATE alembic_version SET version_num = '0001'")
        other.commit()
    check = report(stopped)["catalog"]
    assert (check.ok, check.warning) == (False, True)
    assert "the next start upgrades it" in check.found


@pytest.mark.parametrize(("host", "remedy"), [("1.2.3.4", "--host"), ("no.such.host.invalid", "FOREWARN_HOST")])
def test_an_address_that_is_not_ours(settings: Settings, host: str, remedy: str) -> None:
    check = report(settings.model_copy(update={"host": host}))[f"port {settings.port}"]
    assert (check.ok, check.warning) == (False, False)
    assert remedy in check.remedy


def test_a_port_of_somebody_else_and_one_of_a_site(settings: Settings) -> None:
    with listener() as port:
        check = report(settings.model_copy(update={"port": port}))[f"port {port}"]
        assert (check.ok, check.warning) == (False, False)
        assert "--port" in check.remedy
    site = SiteProcess(settings.directory).start()
    try:
        check = report(settings.model_copy(update={"port": site.port}))[f"port {site.port}"]
        assert (check.ok, check.found) == (True, "a Forewarn site answers there: ready")
    finally:
        site.stop()


@contextmanager
def listener() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_every_source_is_looked_at(stopped: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    with listener() as port:
        there: dict[str, object] = {"host": "127.0.0.1", "port": port}
        sources = (
            SourceConfig("answers", "modbus", there),
            SourceConfig("silent", "opcua", {"url": f"opc.tcp://127.0.0.1:{free_port()}"}),
            SourceConfig("far", "opcua", {"url": "opc.tcp://127.0.0.1:99999"}),
            SourceConfig("unused", "modbus", there),
            SourceConfig("secret", "mqtt", {**there, "user": "u", "password_env": "NO_SUCH_SECRET"}),
            SourceConfig("unsigned", "mqtt", {**there, "tls": True, "ca": str(tmp_path / "ca.pem")}),
            SourceConfig("wrong", "modbus", {**there, "unit": 999}),
            SourceConfig("strange", "profinet", {}),
        )
        used = ("answers", "silent", "far")
        signals = tuple(replace(s, source=name) for s, name in zip(PLANT.signals, used, strict=True))
        with open_catalog(stopped.catalog_url) as catalog:
            plant = replace(PLANT, sources=sources, signals=signals)
            catalog.plant.apply(plant, default_rules(plant))
        found = report(stopped)
    assert found["source answers"].ok
    assert f"127.0.0.1:{port} answers" in found["source answers"].found
    said = {name: found[f"source {name}"] for name in ("silent", "far", "unused", "secret", "unsigned")}
    assert all(check.warning and not check.ok for check in said.values())
    assert "refused" in said["silent"].found
    assert "firewall" in said["silent"].remedy
    assert "99999" in said["far"].found
    assert "no signal names it" in said["unused"].remedy
    assert "NO_SUCH_SECRET is not set" in said["secret"].found
    assert f"there is no file {tmp_path / 'ca.pem'}" in said["unsigned"].found
    for name, fault in (("wrong", "unit"), ("strange", "there is no connector 'profinet'")):
        assert fault in found[f"source {name}"].found
        assert not found[f"source {name}"].warning


def test_a_clock_that_was_set_back(settings: Settings) -> None:
    Heartbeat(settings.make_directory()).beat(now_us() + HOUR)
    check = clock(settings)
    assert (check.ok, check.warning) == (False, False)
    assert "this site was alive at" in check.found


def test_a_site_at_work_is_not_disturbed(stopped: Settings) -> None:
    with open_site(stopped) as site:
        key = np.array([site.plant.table.key_of["p1.a"]], np.int32)
        one = ReadingBatch(key, np.array([now_us()]), np.ones(1), np.zeros(1, np.uint32), "gw2", 1)
        site.door.submit(one).appended.result(10)
        found = report(stopped)
        assert found["batch log"].ok
        assert found["historian"].ok
        site.door.submit(replace(one, sequence=2)).appended.result(10)
