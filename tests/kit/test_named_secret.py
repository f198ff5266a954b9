"""A secret is read from where the settings say, and no message tells it."""

from pathlib import Path

import pytest

from forewarn.kit.named_secret import named_secret


def test_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", " from env ")
    (tmp_path / "broker").write_text("from file\n")
    assert named_secret("password", "BROKER_PASSWORD", None) == " from env "
    assert named_secret("password", None, tmp_path / "broker") == "from file"
    assert named_secret("password", None, None) is None


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROKER_PASSWORD", raising=False)
    (tmp_path / "binary").write_bytes(b"s3cr3t\xff")
    for variable, file, said in (
        ("BROKER_PASSWORD", None, "password_env: the environment has no BROKER_PASSWORD"),
        (None, tmp_path / "none", "none cannot be read: No such file"),
        (None, tmp_path / "binary", "binary is not UTF-8 text"),
    ):
        with pytest.raises(LookupError, match=said) as refused:
            named_secret("password", variable, file)
        assert "s3cr3t" not in str(refused.value)
