"""TLS and client certificates of a real site, with authorities of the test's own."""

import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from forewarn.app.tls import ServerTls
from forewarn.domain.errors import ConfigurationError
from tests.app.test_cli import GOOD_PLANT
from tests.peers.certificates import Authority, Identity
from tests.site_process import SiteProcess

MACHINES = "/api/v1/machines"


class SecureSite(SiteProcess):
    """`forewarn serve` with a certificate and an authority of machines."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.others = Authority(folder, "site"), Authority(folder, "machines")
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        self.install(self.ours.sign("server"))
        self.trusted = folder / "trusted.pem"
        shutil.copy(self.others.certificate, self.trusted)
        super().__init__(
            folder / "site",
            FOREWARN_TLS_CERTIFICATE=str(self.certificate),
            FOREWARN_TLS_KEY=str(self.key),
            FOREWARN_CLIENT_CA=str(self.trusted),
        )
        self.url = self.url.replace("http:", "https:")
        self.http = httpx.Client(base_url=self.url, timeout=30, verify=self.context())

    def install(self, identity: Identity) -> None:
        """As certbot does: renamed into place."""
        identity.private_key.chmod(0o600)
        identity.private_key.rename(self.key)
        identity.certificate.rename(self.certificate)

    def context(self, identity: Identity | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ours.certificate)
        if identity is not None:
            context.load_cert_chain(identity.certificate, identity.private_key)
        return context

    def as_machine(self, identity: Identity) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, verify=self.context(identity))

    def shown(self) -> bytes:
        """The certificate that a new connection is shown."""
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as plain,
            self.context().wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""


def eventually(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureSite]:
    folder = tmp_path_factory.mktemp("secure")
    running = SecureSite(folder)
    (folder / "plant.toml").write_text(GOOD_PLANT)
    running.apply(folder / "plant.toml")
    yield running.start()
    running.stop()


def test_the_page_over_tls(site: SecureSite) -> None:
    answer = site.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{site.port}/readyz")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(site: SecureSite) -> None:
    context = site.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    # Where certificates are asked for 1.2 is refused too: it would resume sessions that were checked by older files.
    for oldest, newest in ((ssl.TLSVersion.TLSv1_2,) * 2, (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)):
        context.minimum_version, context.maximum_version = oldest, newest
        # Ended by the server; a client that could not offer it would say so itself.
        refused = pytest.raises((ssl.SSLError, ConnectionResetError), match=r"EOF|ALERT|reset")
        with socket.create_connection(("127.0.0.1", site.port), 20) as plain, refused:
            context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_without_client_certificates_tls_1_2_is_spoken(identity: Identity) -> None:
    context = ServerTls(identity.certificate, identity.private_key).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_renewed_certificate_is_taken_over(site: SecureSite) -> None:
    before = site.shown()
    site.install(site.ours.sign("server"))
    assert eventually(lambda: site.shown() != before)
    assert site.http.get("/readyz").status_code == 200


def test_what_cannot_be_used_leaves_the_last_good_one(site: SecureSite) -> None:
    before, good = site.shown(), (site.certificate.read_bytes(), site.key.read_bytes())
    told = site.log.read_text().count("certificate_not_taken_over")
    site.ours.sign("half").certificate.rename(site.certificate)
    assert eventually(lambda: site.log.read_text().count("certificate_not_taken_over") > told)
    assert site.shown() == before
    site.certificate.write_bytes(good[0])
    site.key.write_bytes(good[1])
    assert eventually(lambda: "certificate_taken_over" in site.log.read_text().rpartition("not_taken_over")[2])
    assert site.shown() == before


def enlisted(site: SecureSite, name: str, identity: Identity) -> str:
    """The id of a machine that acts by its certificate, once the site knows it."""
    done = site.run("machines", "add", name, "--certificate", str(identity.certificate), "-d", str(site.directory))
    assert done.returncode == 0, done.stderr
    assert "fwe_" not in done.stdout
    assert eventually(lambda: any(m["name"] == name for m in site.http.get(MACHINES).json()["machines"]))
    with site.as_machine(identity) as client:
        assert eventually(lambda: client.get(f"{MACHINES}/self").status_code == 200)
        machine = client.get(f"{MACHINES}/self").json()
    assert (machine["name"], machine["state"]) == (name, "enrolled")
    return str(machine["id"])


def test_a_machine_acts_by_its_certificate_until_it_is_revoked(site: SecureSite) -> None:
    identity = site.others.sign("gateway")
    machine_id = enlisted(site, "edge-1", identity)
    reading = {"sensor_id": "p1.vibration", "timestamp": int(time.time() * 1000), "value": 1.0}
    with site.as_machine(identity) as client:

        def push(gateway: str) -> int:
            body = {"gateway_id": gateway, "readings": [reading]}
            return client.post("/api/v1/telemetry/batch", json=body).status_code

        assert push("edge-1") == 202
        assert push("edge-2") == 403
        assert client.get("/api/v1/assets").status_code == 403
        assert client.get("/readyz", headers={"Authorization": "Bearer nonsense"}).status_code == 200
        # Who shows a token means the token.
        assert client.get(f"{MACHINES}/self", headers={"Authorization": "Bearer nonsense"}).status_code == 401
        assert site.http.delete(f"{MACHINES}/{machine_id}").status_code == 204
        refused = client.post("/api/v1/telemetry/batch", json={"gateway_id": "edge-1", "readings": [reading]})
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:forewarn:problem:not-signed-in")


def test_a_certificate_that_is_no_machine_s(site: SecureSite) -> None:
    with site.as_machine(site.others.sign("stranger")) as client:
        assert client.get("/readyz").status_code == 200
        assert client.get(f"{MACHINES}/self").status_code == 401


@pytest.mark.parametrize("flaw", ["another authority", "out of date", "the site's own authority"])
def test_a_certificate_that_is_refused_at_the_handshake(site: SecureSite, tmp_path: Path, flaw: str) -> None:
    if flaw == "another authority":
        identity = Authority(tmp_path, "machines").sign("gateway")
    elif flaw == "out of date":
        identity = site.others.sign("late", days=-1)
    else:
        identity = site.ours.sign("cousin")
    with site.as_machine(identity) as client, pytest.raises(httpx.TransportError):
        client.get("/readyz")


def test_a_certificate_that_ends_while_the_connection_stays(site: SecureSite) -> None:
    identity = site.others.sign("brief", days=6 / 86_400)
    enlisted(site, "brief", identity)
    with site.as_machine(identity) as client:
        assert client.get(f"{MACHINES}/self").status_code == 200
        assert eventually(lambda: client.get(f"{MACHINES}/self").status_code == 401)


def test_an_authority_that_is_trusted_no_more(site: SecureSite, tmp_path: Path) -> None:
    identity = site.others.sign("last")
    enlisted(site, "last", identity)
    fresh = Authority(tmp_path, "fresh")
    site.trusted.write_bytes(fresh.certificate.read_bytes())

    def refused() -> bool:
        try:
            with site.as_machine(identity) as client:
                return client.get("/healthz").status_code != 200
        except httpx.TransportError:
            return True

    assert eventually(refused)
    enlisted(site, "first of the fresh", fresh.sign("fresh one"))
    site.trusted.write_bytes(site.others.certificate.read_bytes())
    assert eventually(lambda: not refused())


def test_a_certificate_is_one_machine_s(site: SecureSite) -> None:
    identity = site.others.sign("shared")
    enlisted(site, "edge-8", identity)
    body = {"name": "edge-9", "grants": [{"role": "gateway"}], "certificate": identity.certificate.read_text()}
    refused = site.http.post(MACHINES, json=body)
    assert (refused.status_code, "edge-8" in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [("garbage", "no certificate in PEM"), ("key", "a private key is the machine's alone"), ("late", "valid until")],
)
def test_a_certificate_that_is_none(site: SecureSite, given: str, said: str) -> None:
    identity = site.others.sign("faulty", days=-1)
    pem = {"garbage": "hello", "key": identity.private_key.read_text(), "late": identity.certificate.read_text()}[given]
    answer = site.http.post(MACHINES, json={"name": "edge-7", "grants": [], "certificate": pem})
    assert (answer.status_code, answer.json()["field"]) == (400, "certificate")
    assert said in answer.json()["detail"]
    assert "PRIVATE" not in answer.text


def test_cookies_are_for_tls_alone(site: SecureSite) -> None:
    answer = site.http.post("/api/v1/session/refresh", headers={"Authorization": ""})
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    made = Authority(tmp_path, "site").sign("server")
    made.private_key.chmod(0o600)
    return made


def test_a_key_that_others_can_read_is_refused(identity: Identity) -> None:
    identity.private_key.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"can be read by everybody .* `chmod 600"):
        ServerTls(identity.certificate, identity.private_key)


def test_a_key_that_is_another_s_is_refused(identity: Identity, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "site").sign("server")
    other.private_key.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is not the key of"):
        ServerTls(identity.certificate, other.private_key)


def test_files_that_are_missing_or_none_are_named(identity: Identity, tmp_path: Path) -> None:
    none = tmp_path / "none.pem"
    with pytest.raises(ConfigurationError, match=r"tls_certificate .*none.pem"):
        ServerTls(none, identity.private_key)
    with pytest.raises(ConfigurationError, match=r"tls_key .*none.pem"):
        ServerTls(identity.certificate, none)
    with pytest.raises(ConfigurationError, match=r"client_ca .*none.pem"):
        ServerTls(identity.certificate, identity.private_key, none)
    none.write_text("hello")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        ServerTls(none, identity.private_key)
    with pytest.raises(ConfigurationError, match=r"client_ca .* holds no certificate"):
        ServerTls(identity.certificate, identity.private_key, none)


def test_plain_http_is_for_this_machine_alone(tmp_path: Path) -> None:
    done = SiteProcess(tmp_path / "site").run("serve", "--directory", str(tmp_path / "site"), "--host", "0.0.0.0")
    assert done.returncode != 0
    assert "FOREWARN_TLS_CERTIFICATE" in done.stderr
    assert "FOREWARN_BEHIND_PROXY" in done.stderr


@pytest.mark.slow
def test_a_handshake_that_does_not_come_is_cut_off(site: SecureSite) -> None:
    with socket.create_connection(("127.0.0.1", site.port), 30) as silent:
        assert silent.recv(1) == b""
