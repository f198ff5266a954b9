"""What the settings say of strangers, at a real site: names, rates, proxies."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from forewarn.app.doctor.certificate import certificates
from forewarn.app.settings import Settings
from forewarn.app.settings_reading import read_settings
from forewarn.domain.errors import ConfigurationError
from tests.peers.certificates import Authority
from tests.site_process import SiteProcess


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    """As behind a proxy on this machine."""
    running = SiteProcess(
        tmp_path_factory.mktemp("proxied") / "site",
        FOREWARN_BEHIND_PROXY="true",
        FOREWARN_TRUSTED_PROXIES='["127.0.0.1"]',
        FOREWARN_ALLOWED_HOSTS='["plant.example"]',
        FOREWARN_SIGN_INS_PER_MINUTE="3",
    )
    yield running.start()
    running.stop()


def guess(site: SiteProcess, address: str, **headers: str) -> httpx.Response:
    named = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https", "Host": "plant.example", **headers}
    return httpx.post(f"{site.url}/api/v1/session", json={"name": "nobody", "password": "guess"}, headers=named)


def test_the_address_that_a_trusted_proxy_tells_is_the_one_that_counts(site: SiteProcess) -> None:
    assert [guess(site, "203.0.113.7").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert guess(site, "203.0.113.8").status_code == 401
    # What the client claimed stands before what the proxy saw.
    assert guess(site, "198.51.100.1, 203.0.113.7").status_code == 429


def test_what_came_over_tls_to_the_proxy_is_secure(site: SiteProcess) -> None:
    headers = {"X-Forwarded-Proto": "https", "Host": "plant.example", "Origin": "https://plant.example"}
    answer = httpx.post(f"{site.url}/api/v1/session/refresh", headers=headers)
    assert answer.status_code == 401
    assert "; Secure" in answer.headers["set-cookie"]
    assert "strict-transport-security" in answer.headers
    refused = httpx.post(f"{site.url}/api/v1/session/refresh", headers={**headers, "Origin": "http://plant.example"})
    assert refused.status_code == 403


def test_names(site: SiteProcess) -> None:
    for host, status in (("plant.example", 200), ("127.0.0.1", 200), ("evil.example", 421)):
        assert httpx.get(f"{site.url}/healthz", headers={"Host": host}).status_code == status


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    running = SiteProcess(tmp_path_factory.mktemp("alone") / "site", FOREWARN_SIGN_INS_PER_MINUTE="3")
    yield running.start()
    running.stop()


def test_without_trusted_proxies_nobody_is_believed(alone: SiteProcess) -> None:
    answers = [guess(alone, f"203.0.113.{n}", Host="localhost") for n in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert "strict-transport-security" not in answers[0].headers


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tls_certificate": Path("a.pem")}, "go together"),
        ({"tls_key": Path("a.key")}, "go together"),
        ({"client_ca": Path("ca.pem")}, "needs tls_certificate"),
        ({"trusted_proxies": ("10.0.0.1",)}, "needs behind_proxy"),
        ({"behind_proxy": True, "trusted_proxies": ("proxy",)}, "no address and no network"),
        ({"behind_proxy": True, "trusted_proxies": ("*",)}, "no address and no network"),
        ({"allowed_hosts": ("https://plant.example",)}, "no host name"),
        ({"allowed_hosts": ("plant.example:8080",)}, "no host name"),
        ({"allowed_hosts": ("",)}, "no host name"),
        ({"requests_per_minute": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_be_meant(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_settings(**given)


def found(tmp_path: Path, days: float, mode: int = 0o600) -> list[tuple[str, bool, bool]]:
    authority = Authority(tmp_path, "site")
    identity = authority.sign("server", days=days)
    identity.private_key.chmod(mode)
    settings = Settings(
        tls_certificate=identity.certificate, tls_key=identity.private_key, client_ca=authority.certificate
    )
    return [(check.name, check.ok, check.warning) for check in certificates(settings)]


def test_the_doctor_looks_at_certificates(tmp_path: Path) -> None:
    # The authority itself ends tomorrow.
    assert found(tmp_path, 90) == [("certificate", True, True), ("client CA", False, True)]
    assert found(tmp_path, 20)[0] == ("certificate", False, True)
    assert found(tmp_path, -1)[0] == ("certificate", False, False)
    assert found(tmp_path, 90, 0o644) == [("certificate", False, False)]
    assert list(certificates(Settings())) == []
