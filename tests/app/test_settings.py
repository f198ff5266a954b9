"""Settings from three places; a mistake is told with the place, the value and the remedy."""

from pathlib import Path

import pytest

from forewarn.app.settings import MIB, READING_BYTES, Settings
from forewarn.app.settings_reading import misspelt_variables, read_settings
from forewarn.domain.errors import ConfigurationError


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own and no FOREWARN_ variable."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FOREWARN_{name.upper()}", raising=False)
    return tmp_path


def refusal(**options: object) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read_settings(**options)
    return str(refused.value)


def test_the_command_line_wins_over_the_environment_over_the_file(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / "forewarn.toml").write_text('port = 1\nhost = "::1"\nlog_level = "error"\n')
    assert read_settings().port == 1
    monkeypatch.setenv("FOREWARN_PORT", "2")
    assert read_settings().port == 2
    read = read_settings(port=3, host=None)
    assert (read.port, read.host, read.log_level) == (3, "::1", "error")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PORT", "abc", "FOREWARN_PORT = 'abc' should be a valid integer"),
        ("PORT", "99999", "FOREWARN_PORT = '99999' should be less than or equal to 65535"),
        ("LOG_CAPACITY_MIB", "1", "FOREWARN_LOG_CAPACITY_MIB = '1' should be greater than or equal to 16"),
        ("LOG_FORMAT", "xml", "FOREWARN_LOG_FORMAT = 'xml' should be 'console' or 'json'"),
        ("HOST", "", "FOREWARN_HOST = '' should have at least 1 character"),
        ("MAX_FUTURE_S", "inf", "FOREWARN_MAX_FUTURE_S = 'inf' should be a finite number"),
        ("KEEP_RAW_DAYS", "inf", "FOREWARN_KEEP_RAW_DAYS = 'inf' should be a finite number"),
        ("DETECTORS", "limits, robust_z", """write FOREWARN_DETECTORS='["limits", "robust_z"]'"""),
        ("DETECTORS", "", "FOREWARN_DETECTORS = '' is not a list in JSON"),
        ("DETECTORS", "[1]", "FOREWARN_DETECTORS = 1 should be a valid string"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str) -> None:
    monkeypatch.setenv(f"FOREWARN_{variable}", value)
    assert said in refusal()


def test_a_remedy_says_what_the_setting_is_and_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_PORT", "abc")
    assert "Port the web server listens on; 0 takes a free one; default: 8080" in refusal()
    assert "--port = 'x'" in refusal(port="x")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"port = 1\nport = abc\n", "forewarn.toml:2: not valid TOML"),
        (b"prot = 1\n", "forewarn.toml: there is no setting 'prot'; did you mean 'port'?"),
        (b"[colours]\nred = 1\n", "there is no setting 'colours'; there are: directory, host, port"),
        (b'port = "x"\n', "forewarn.toml: port = 'x' should be a valid integer"),
        (b"\xff", "forewarn.toml: cannot be read"),
    ],
)
def test_a_wrong_file_is_named(nowhere: Path, content: bytes, said: str) -> None:
    (nowhere / "forewarn.toml").write_bytes(content)
    assert said in refusal()


def test_all_mistakes_are_told_at_once(nowhere: Path) -> None:
    (nowhere / "forewarn.toml").write_text('port = "x"\nhost = 3\nprot = 1\n')
    assert len(refusal().splitlines()) == 3


def test_a_log_too_small_for_the_tail_is_refused_and_both_remedies_work() -> None:
    said = refusal(log_capacity_mib=16)
    assert "FOREWARN_LOG_CAPACITY_MIB to 92 or more, or FOREWARN_FLUSH_READINGS to 349525 or less" in said
    assert read_settings(log_capacity_mib=92).flush_readings * 2 * READING_BYTES <= 92 * MIB
    assert read_settings(log_capacity_mib=16, flush_readings=349_525).log_capacity_mib == 16
    assert refusal(log_capacity_mib=91)
    assert refusal(log_capacity_mib=16, flush_readings=349_526)


def test_rollups_outlive_readings() -> None:
    assert "keep_rollup_days may not be less" in refusal(keep_rollup_days=3.0)
    assert read_settings(keep_raw_days=3.0, keep_rollup_days=3.0).keep_rollup_days == 3.0


def test_a_misspelt_variable_is_found_and_a_stranger_left_alone() -> None:
    environment = {"FOREWARN_PORTT": "1", "FOREWARN_PLC_PASSWORD": "x", "FOREWARN_PORT": "1", "PORTT": "1"}
    assert misspelt_variables(environment) == {"FOREWARN_PORTT": "FOREWARN_PORT"}
