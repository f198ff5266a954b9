"""Single sign-on in the settings: what is wrong is told, the secret never."""

from pathlib import Path

import pytest

from forewarn.app.settings import Settings
from forewarn.app.settings_reading import read_settings
from forewarn.app.sign_on import single_sign_on
from forewarn.domain.access import Grant, Role
from forewarn.domain.errors import ConfigurationError

SECRET = "hush hush, nobody knows"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory of its own and one provider."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FOREWARN_{name.upper()}", raising=False)
    monkeypatch.setenv("FOREWARN_OIDC_ISSUER", "https://login.example.com/realms/plant/")
    monkeypatch.setenv("FOREWARN_OIDC_CLIENT_ID", "forewarn")


def test_a_role_map_may_give_several_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_OIDC_ROLE_MAP", '{"a": "technician:acme/pune/", "b": ["admin", "auditor"]}')
    made = single_sign_on(read_settings(), b"k" * 32)
    assert made is not None
    assert made.client.issuer == "https://login.example.com/realms/plant/"
    assert made.admission.roles == {
        "a": (Grant(Role.TECHNICIAN, "acme/pune"),),
        "b": (Grant(Role.ADMIN), Grant(Role.AUDITOR)),
    }
    assert not made.admission.create


def test_without_a_provider_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_OIDC_ISSUER", "")
    monkeypatch.setenv("FOREWARN_OIDC_CLIENT_ID", "")
    assert single_sign_on(read_settings(), b"k" * 32) is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ISSUER", "", "oidc_client_id is set and oidc_issuer is not"),
        ("CLIENT_ID", "", "oidc_issuer is set and oidc_client_id is not"),
        ("ISSUER", "http://login.example.com", "oidc_issuer = 'http://login.example.com' is no address"),
        ("ISSUER", "login.example.com", "write https://host/path"),
        ("ISSUER", "https://", "write https://host/path"),
        ("ISSUER", "https://[", "write https://host/path"),
        ("ISSUER", "https://host:port", "write https://host/path"),
        ("ISSUER", "https://host/?realm=1", "without query"),
        ("ISSUER", "https://me:secret@host/", "and password"),
        ("REDIRECT_URI", "http://site.example.com/api", "oidc_redirect_uri"),
        ("SCOPES", "profile", "lacks openid"),
        ("ROLES_CLAIM", "", "FOREWARN_OIDC_ROLES_CLAIM = ''"),
        ("ROLE_MAP", "a=admin", "is not an object in JSON; write FOREWARN_OIDC_ROLE_MAP='{"),
        ("ROLE_MAP", '{"a": "techician"}', "did you mean 'technician'?"),
        ("ROLE_MAP", '{"a": "gateway"}', "gateway is a role of machines"),
        ("ROLE_MAP", '{"a": ["admin", "auditor:acme//pune"]}', "is no path"),
        ("ROLE_MAP", '{"a": 1}', "FOREWARN_OIDC_ROLE_MAP"),
        ("CREATE_PEOPLE", "perhaps", "FOREWARN_OIDC_CREATE_PEOPLE = 'perhaps'"),
        ("BUTTON", "x" * 61, "FOREWARN_OIDC_BUTTON"),
    ],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(f"FOREWARN_OIDC_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        read_settings()
    assert said in str(refused.value)


def test_http_is_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("127.0.0.1:8081", "localhost", "[::1]:99"):
        monkeypatch.setenv("FOREWARN_OIDC_ISSUER", f"http://{host}/realm")
        assert single_sign_on(read_settings(), b"k" * 32) is not None


def test_the_secret_comes_from_a_file_and_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setenv("FOREWARN_OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    settings = read_settings()
    assert settings.oidc_client_secret is not None
    assert settings.oidc_client_secret.get_secret_value() == SECRET
    made = single_sign_on(settings, b"k" * 32)
    for shown in (repr(settings), str(settings.model_dump()), settings.model_dump_json(), repr(made)):
        assert SECRET not in shown
    monkeypatch.setenv("FOREWARN_OIDC_CLIENT_SECRET", SECRET)
    with pytest.raises(ConfigurationError, match="are both set"):
        read_settings()


def test_a_wrong_secret_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "forewarn.toml").write_text("oidc_client_secret = 81234567\n")
    with pytest.raises(ConfigurationError) as refused:
        read_settings()
    assert "81234567" not in str(refused.value)
    assert "oidc_client_secret = (not shown) should be a valid string" in str(refused.value)
