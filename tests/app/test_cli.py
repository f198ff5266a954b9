"""The command line under nonsense: a sentence with the remedy, exit status 1 (2 for usage), never a traceback."""

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner

from forewarn.app.cli import app


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def forewarn(folder: Path, *arguments: str, answer: str = "", **environment: str) -> Done:
    """`forewarn` in `folder`, its standard input ending after `answer`. What would serve gets a process of its own,
    for it sets up logging."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("FOREWARN_")} | environment
    if arguments[:1] in (("serve",), ("demo",)):
        command = [sys.executable, "-m", "forewarn", *arguments]
        child = subprocess.run(command, cwd=folder, env=given, input=answer, capture_output=True, text=True, timeout=60)
        return Done(child.returncode, child.stdout, child.stderr)
    with contextlib.chdir(folder), mock.patch.dict(os.environ, given, clear=True):
        result = CliRunner().invoke(app, arguments, input=answer)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


class _Page(http.server.BaseHTTPRequestHandler):
    """Any other web server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None: ...


BAD_PLANT = """
[[source]]
name = "plc"
connector = "opcua"
settings = { url = "x", speed = 1 }

[[asset]]
id = "p1"
"""
GOOD_PLANT = """
[[asset]]
id = "p1"
path = "a/b/c/d"
[asset.signals.flow]
kind = "flow"
unit = "m3/h"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a-file").touch()
    (tmp_path / "bad.toml").write_text(BAD_PLANT)
    (tmp_path / "good.toml").write_text(GOOD_PLANT)
    (tmp_path / "rig.csv").write_text("time,flow\n1,2\n")
    return tmp_path


WRONG = [
    ("serve -d a-file", "the data directory a-file cannot be written"),
    ("serve --host 1.2.3.4", "'1.2.3.4' is no address of this machine"),
    ("serve --host no.such.host.invalid", "choose one with --host or FOREWARN_HOST"),
    ("demo -d a-file", "the data directory a-file cannot be written"),
    ("demo -d . --fresh", "holds something else than a demo"),
    ("apply nothing.toml", "nothing.toml: cannot be read"),
    ("apply good.toml -d a-file", "choose another with --directory"),
    ("replay nothing.csv --asset p1", "nothing.csv: no such file"),
    ("replay rig.csv --asset p1 --url http://127.0.0.1:1", "no site at http://127.0.0.1:1"),
    ("replay a-file --asset p1 --url nonsense", "--url 'nonsense' is no address of a site"),
    ("replay a-file --asset p1 --url http://[::1", "is no address of a site"),
    ("replay a-file --asset p1 --url http://127.0.0.1:abc", "is no address of a site"),
    ("replay a-file --asset p1 --map x", "--map 'x' is not column=signal"),
    ("simulate --out a-file", "a-file is a file: --out wants a folder"),
    ("simulate --out x --days nan", "days must be 0-3660"),
    ("simulate --out x --step inf", "days must be 0-3660"),
    ("simulate --serve --state a-file", "a-file is a file: --state wants a folder"),
    ("log discard 5", "there is no batch log in var/site"),
    ("log discard 5 -d a-file", "there is no batch log in a-file"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[arguments for arguments, _ in WRONG])
def test_what_cannot_be_done_is_one_sentence(folder: Path, arguments: str, said: str) -> None:
    before = sorted(folder.rglob("*"))
    done = forewarn(folder, *arguments.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("forewarn: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        "nonsense",
        "serve -p 99999",
        "serve extra",
        "demo --history-days nan",
        "replay",
        "replay a-file --asset p1 --speed inf",
        "replay a-file --asset p1 --speed -1",
        "simulate",
        "simulate --serve --out x",
        "simulate --out x --seed -1",
        "simulate --serve --mqtt-port 99999",
        "log discard 0",
        "log discard 99999999999999999999999",
    ],
)
def test_wrong_usage_is_status_2(folder: Path, arguments: str) -> None:
    done = forewarn(folder, *arguments.split())
    assert done.returncode == 2
    assert "Usage: " in done.stderr
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FOREWARN_PORT", "abc", "FOREWARN_PORT = 'abc' should be a valid integer"),
        ("FOREWARN_LOG_CAPACITY_MIB", "16", "FOREWARN_FLUSH_READINGS to 349525 or less"),
        ("FOREWARN_DETECTORS", "limits", """write FOREWARN_DETECTORS='["limits"]'"""),
        ("FOREWARN_DETECTORS", '["limit"]', "there is no detector 'limit'; there are: flatline, limits"),
        ("FOREWARN_HISTORIAN", "tape", "there is no historian 'tape'; there are: parquet"),
        ("FOREWARN_DATABASE_URL", "nonsense", "the catalog's address (FOREWARN_DATABASE_URL) is no URL"),
        ("FOREWARN_DATABASE_URL", "sqlite:////proc/no/x.db", "the catalog's folder /proc/no cannot be made"),
    ],
)
def test_a_site_with_wrong_settings_does_not_start(folder: Path, variable: str, value: str, said: str) -> None:
    done = forewarn(folder, "serve", **{"FOREWARN_PORT": "0", variable: value})
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_busy_port_is_not_blamed_on_the_host(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = forewarn(folder, "serve", "-p", str(other.getsockname()[1]))
    assert done.returncode == 1
    assert "something listens there already" in done.stderr
    assert "--port" in done.stderr
    assert "--host" not in done.stderr


def test_a_broken_settings_file_stops_every_command(folder: Path) -> None:
    (folder / "forewarn.toml").write_text("port = abc\n")
    for arguments in ("serve", "demo", "apply good.toml", "log discard 1"):
        done = forewarn(folder, *arguments.split())
        assert (done.returncode, done.stderr) == (1, "forewarn: forewarn.toml:1: not valid TOML: Invalid value\n")


def test_brackets_of_a_remedy_are_shown(folder: Path) -> None:
    done = forewarn(folder, "apply", "bad.toml")
    assert done.returncode == 1
    assert "add [asset.signals.<name>]" in done.stderr
    assert "bad.toml:5: " in done.stderr
    assert not (folder / "var").exists()


def test_brackets_of_names_are_shown(folder: Path) -> None:
    odd = GOOD_PLANT.replace('id = "p1"', 'id = "p1"\nname = "Pump [red]one[/red]"')
    (folder / "odd.toml").write_text(odd)
    done = forewarn(folder, "apply", "odd.toml")
    assert (done.returncode, done.stderr) == (0, "")
    again = forewarn(folder, "apply", "good.toml", "--plan")
    assert "[red]one[/red]" in again.stdout, again.stdout


GATEWAY_FILE = """
[gateway]
name = "gw-a"
[[source]]
name = "line-1"
connector = "modbus"
settings = {host = "127.0.0.1"}
""" + GOOD_PLANT.replace('"p1"', '"p2"').replace(
    'unit = "m3/h"', 'unit = "m3/h"\nsource = "line-1"\naddress = "1:holding:0"'
)


def test_files_applied_together_are_one_plant(folder: Path) -> None:
    (folder / "gw.toml").write_text(GATEWAY_FILE)
    done = forewarn(folder, "apply", "good.toml", "gw.toml", "-d", "site")
    assert (done.returncode, done.stderr) == (0, "")
    assert "asset p1" in done.stdout
    assert "asset p2" in done.stdout
    assert "source" not in done.stdout  # a gateway's sources are not the site's
    again = forewarn(folder, "apply", "good.toml", "gw.toml", "-d", "site", "--plan")
    assert again.returncode == 0, again.stdout
    (folder / "gw.toml").write_text(GATEWAY_FILE.replace('"p2"', '"p1"'))
    twice = forewarn(folder, "apply", "good.toml", "gw.toml", "-d", "site")
    assert twice.returncode == 1
    assert 'gw.toml: asset "p1" is also in good.toml' in twice.stderr
    same = forewarn(folder, "apply", "good.toml", "good.toml", "-d", "site")
    assert "the same file is given twice" in same.stderr


def test_a_plan_makes_nothing(folder: Path) -> None:
    done = forewarn(folder, "apply", "good.toml", "--plan", "-d", "site")
    assert done.returncode == 1
    assert "+ asset p1" in done.stdout
    assert not (folder / "site").exists()


def test_apply_tells_the_next_step_and_asks_before_it_removes(folder: Path) -> None:
    done = forewarn(folder, "apply", "good.toml", "-d", "site")
    assert done.returncode == 0
    assert "`forewarn serve --directory site` starts one" in done.stdout
    assert forewarn(folder, "apply", "good.toml", "-d", "site").stdout == "The catalog already equals the file.\n"
    (folder / "other.toml").write_text(GOOD_PLANT.replace('"p1"', '"p2"'))
    alone = forewarn(folder, "apply", "other.toml", "-d", "site")
    assert alone.returncode == 1
    assert "say --yes" in alone.stderr
    kept = forewarn(folder, "apply", "other.toml", "-d", "site", answer="n\n")
    assert (kept.returncode, "Nothing was changed." in kept.stdout) == (1, True)
    assert forewarn(folder, "apply", "other.toml", "-d", "site", "--yes").returncode == 0


def test_history_is_not_written_over_somebodys_plant_file(folder: Path) -> None:
    (folder / "plant.toml").write_text(GOOD_PLANT)
    done = forewarn(folder, "simulate", "--out", ".", "--days", "0.01")
    assert done.returncode == 1
    assert "not a simulation's" in done.stderr
    assert (folder / "plant.toml").read_text() == GOOD_PLANT
    for _ in range(2):
        done = forewarn(folder, "simulate", "--out", "past", "--days", "0.01")
        assert done.returncode == 0, done.stderr
        assert "readings in" in done.stdout


def test_what_answers_may_be_no_site(folder: Path) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    done = forewarn(folder, "replay", "rig.csv", "--asset", "p1", "--url", url)
    server.shutdown()
    server.server_close()
    assert done.returncode == 1
    assert f"what answers at {url} is no Forewarn site" in done.stderr
    assert len(done.stderr.splitlines()) == 1
