"""Secrets of every kind are given to a real site that logs all it can; its output and its catalog are searched."""

import base64
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine

from tests.postgres_server import PostgresServer, postgres_server
from tests.site_process import free_port

__all__ = ["postgres_server"]

DATABASE, BROKER, PLC = "s3cr3t-database", "s3cr3t-broker", "s3cr3t-plc"
AUDIT, TOKEN = b"s3cr3t-audit-key-of-thirty-two-b", b"s3cr3t-token-key-of-thirty-two-b"
PLANT = """
[[source]]
name = "broker"
connector = "mqtt"
settings = {{ host = "127.0.0.1", port = {port}, user = "ops", password_env = "BROKER_PASSWORD" }}

[[source]]
name = "plc"
connector = "opcua"
settings = {{ url = "opc.tcp://127.0.0.1:{port}", user = "ops", password_file = "{plc}" }}

[[asset]]
id = "p1"
path = "a/b/c/d"
[asset.signals.flow]
kind = "flow"
unit = "m3/h"
source = "broker"
address = "flow"
[asset.signals.power]
kind = "power"
unit = "kW"
source = "plc"
address = "ns=1;s=power"
"""


def environment(folder: Path, url: str) -> dict[str, str]:
    (folder / "url").write_text(url)
    (folder / "plc").write_text(PLC)
    own = {name: value for name, value in os.environ.items() if not name.startswith("FOREWARN_")}
    return own | {
        "FOREWARN_DATABASE_URL_FILE": str(folder / "url"),
        "FOREWARN_LOG_LEVEL": "debug",
        "FOREWARN_PORT": "0",
        "FOREWARN_SECRET_AUDIT_KEY": base64.b64encode(AUDIT).decode(),
        "FOREWARN_SECRET_TOKEN_KEY": base64.b64encode(TOKEN).decode(),
        "BROKER_PASSWORD": BROKER,
    }


def forewarn(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Everything it prints."""
    command = [sys.executable, "-m", "forewarn", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def served(folder: Path, environment: dict[str, str], until: tuple[str, ...]) -> str:
    """What `forewarn serve` prints until all of `until` are among it, and while it ends."""
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "forewarn", "serve"]
        site = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and site.poll() is None:
            if all(words in (folder / "log").read_text() for words in until):
                break
            time.sleep(0.1)
        site.terminate()
        site.wait(60)
    return (folder / "log").read_text()


def stored(url: str) -> str:
    """Every value of every table."""
    engine = create_engine(url)
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET forewarn.scope = '*'")  # or row-level security hides the plant
        rows = [tuple(row) for table in tables.tables.values() for row in connection.execute(table.select())]
    engine.dispose()
    assert rows
    return repr(rows)


def told(text: str) -> list[str]:
    """Secrets in `text`, as they were given and as they lie in base64."""
    secrets = [DATABASE.encode(), BROKER.encode(), PLC.encode(), AUDIT, TOKEN]
    forms = [form for secret in secrets for form in (secret.decode(), base64.b64encode(secret).decode(), secret.hex())]
    return [form for form in forms if form in text]


def test_no_secret_is_logged_or_kept_in_clear(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.url().replace("@", f":{DATABASE}@")
    given = environment(tmp_path, url)
    (tmp_path / "plant.toml").write_text(PLANT.format(port=free_port(), plc=tmp_path / "plc"))
    printed = forewarn(tmp_path, given, "apply", "plant.toml", "--yes")
    assert "Applied." in printed
    log = served(tmp_path, given, ("broker", "plc"))
    assert "127.0.0.1" in log
    printed += log + forewarn(tmp_path, given, "doctor") + forewarn(tmp_path, given, "people", "list")
    printed += forewarn(tmp_path, given, "audit", "verify")
    assert told(printed) == []
    assert told(stored(url)) == []
    assert "BROKER_PASSWORD" in stored(url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ops:{DATABASE}@127.0.0.1:1/forewarn",
        f"postgresql://ops:{DATABASE}@127.0.0.1:port/forewarn",
        f"mysql://ops:{DATABASE}@127.0.0.1/forewarn",
        f"ops:{DATABASE}@127.0.0.1/forewarn",
    ],
)
def test_a_database_that_refuses_is_told_without_its_password(tmp_path: Path, url: str) -> None:
    for command in (("serve",), ("people", "add", "anna"), ("doctor",)):
        printed = forewarn(tmp_path, environment(tmp_path, url), *command)
        assert "catalog" in printed
        assert told(printed) == []
        assert "Traceback" not in printed


@pytest.mark.parametrize(
    "settings",
    [
        f'{{ host = "h", user = "ops", password = "{BROKER}" }}',
        f'{{ host = "ops:{BROKER}@h" }}',
        f'{{ host = "h", user = "ops", password_env = "A", extra = {{ token = "{BROKER}" }} }}',
    ],
)
def test_a_plant_file_with_a_password_is_refused(tmp_path: Path, settings: str) -> None:
    source = f'[[source]]\nname = "broker"\nconnector = "mqtt"\nsettings = {settings}\n'
    (tmp_path / "plant.toml").write_text(source + PLANT.partition("[[asset]]")[0].partition("[[source]]")[0])
    given = environment(tmp_path, f"sqlite:///{tmp_path}/catalog.db")
    printed = forewarn(tmp_path, given, "apply", "plant.toml", "--yes")
    assert "plant.toml:4: source settings: " in printed
    assert "take it out" in printed
    assert told(printed) == []
    assert not (tmp_path / "catalog.db").exists()
