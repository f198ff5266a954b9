"""The site's keys: where they come from, that processes agree on them, and that nobody else may read them."""

import base64
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forewarn.app.secrets import audit_key, read_secret
from forewarn.app.settings import Settings
from forewarn.app.settings_reading import misspelt_variables, read_settings
from forewarn.domain.errors import ConfigurationError

GIVEN = bytes(range(32))
TEXT = base64.b64encode(GIVEN).decode()
NAMES = ("FOREWARN_SECRET_TOKEN_KEY", "FOREWARN_SECRETS_DIRECTORY", "FOREWARN_DATABASE_URL")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    return Settings(directory=tmp_path / "site")


def written(settings: Settings, text: str | bytes, mode: int = 0o600) -> Path:
    path = settings.secrets_path / "token_key"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def refusal(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read_secret(settings, "token_key")
    error: BaseException | None = refused.value
    told = str(error)
    while error is not None:
        assert TEXT not in repr(error)
        assert "c2hvcnQ" not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told


def test_a_secret_is_made_once_for_its_owner_alone(settings: Settings) -> None:
    made = read_secret(settings, "token_key")
    path = settings.secrets_path / "token_key"
    assert len(made) == 32
    assert made == read_secret(settings, "token_key") == base64.b64decode(path.read_text())
    assert made != audit_key(settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(os.listdir(path.parent)) == ["audit_key", "token_key"]


def test_the_environment_wins_over_a_named_file_over_the_directory(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(settings, base64.b64encode(b"d" * 32))
    assert read_secret(settings, "token_key") == b"d" * 32
    (tmp_path / "mounted").write_text(base64.b64encode(b"f" * 32).decode() + "\n")
    monkeypatch.setenv("FOREWARN_SECRET_TOKEN_KEY_FILE", str(tmp_path / "mounted"))
    assert read_secret(settings, "token_key") == b"f" * 32
    monkeypatch.setenv("FOREWARN_SECRET_TOKEN_KEY", f" {TEXT}\n")
    assert read_secret(settings, "token_key") == GIVEN


def test_another_directory_may_hold_them(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_SECRETS_DIRECTORY", str(tmp_path / "elsewhere"))
    read_secret(read_settings(), "token_key")
    assert os.listdir(tmp_path / "elsewhere") == ["token_key"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (base64.b64encode(b"short"), "holds 5 bytes, 32 are the least"),
        (b"", "holds 0 bytes"),
        (TEXT[:-4] + "%%%%", "holds no base64"),
        (TEXT[:-3], "holds no base64"),
        (b"\xff\xfe\x00" * 40, "holds no base64"),
    ],
)
def test_what_is_no_secret_is_refused_with_the_remedy(settings: Settings, content: str | bytes, said: str) -> None:
    path = written(settings, content)
    told = refusal(settings)
    assert said in told
    assert str(path) in told
    assert "openssl rand -base64 32" in told


def test_a_wrong_variable_is_named_without_its_value(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_SECRET_TOKEN_KEY", TEXT + "%")
    assert "FOREWARN_SECRET_TOKEN_KEY holds no base64" in refusal(settings)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o610])
def test_a_file_that_others_may_read_is_refused(settings: Settings, mode: int) -> None:
    path = written(settings, TEXT, mode)
    assert f"chmod 600 {path}" in refusal(settings)
    path.chmod(0o400)
    assert read_secret(settings, "token_key") == GIVEN


def test_where_a_secret_must_be_none_is_made(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="is missing: restore it from a backup"):
        audit_key(settings, make=False)
    assert not settings.directory.exists()


def _directory_is_a_file(settings: Settings) -> None:
    settings.directory.mkdir()
    settings.secrets_path.write_text("")


def _secret_is_a_folder(settings: Settings) -> None:
    (settings.secrets_path / "token_key").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [_directory_is_a_file, _secret_is_a_folder])
def test_a_directory_that_cannot_be_used_is_told(settings: Settings, spoil: Callable[[Settings], None]) -> None:
    spoil(settings)
    assert str(settings.secrets_path / "token_key") in refusal(settings)


def test_processes_that_start_at_once_agree(settings: Settings) -> None:
    code = "import sys;sys.stdin.readline();from forewarn.app.secrets import *;from forewarn.app.settings import *;"
    code += f"print(read_secret(Settings(directory={str(settings.directory)!r}), 'token_key').hex())"
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0] for process in started}
    assert answers == {read_secret(settings, "token_key").hex() + "\n"}
    assert os.listdir(settings.secrets_path) == ["token_key"]


def test_the_database_s_address_may_lie_in_a_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "url").write_text("sqlite:////tmp/x.db\n")
    (tmp_path / "forewarn.toml").write_text('database_url = "sqlite:////tmp/toml.db"\n')
    monkeypatch.setenv("FOREWARN_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert read_settings().catalog_url == "sqlite:////tmp/x.db"
    assert misspelt_variables(os.environ) == {}
    monkeypatch.setenv("FOREWARN_DATABASE_URL", "sqlite:////tmp/y.db")
    with pytest.raises(ConfigurationError, match="both set"):
        read_settings()


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), (b" \n", "is empty"), (b"\xff", "not UTF-8")])
def test_a_named_file_that_says_nothing_is_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "url").write_bytes(content)
    monkeypatch.setenv("FOREWARN_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(ConfigurationError, match=said):
        read_settings()
