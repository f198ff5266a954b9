"""`forewarn people` and `forewarn machines` on a real catalog, and the account of the first start."""

import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forewarn.app.cli import app
from forewarn.app.first_admin import ensure_first_admin
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.catalog import Catalog
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.people import Machine, Person, Session
from forewarn.kit.clock import now_us
from forewarn.kit.passwords import PasswordHashing
from forewarn.policies.one_time import LETTERS

HASHING = PasswordHashing()
ONE_TIME = re.compile(rf"(?:[{LETTERS}]{{5}}-){{3}}[{LETTERS}]{{5}}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FOREWARN_DATABASE_URL", raising=False)
    monkeypatch.setenv("FOREWARN_DIRECTORY", str(tmp_path / "site"))
    return tmp_path / "site"


def forewarn(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


def people(site: Path) -> list[Person]:
    with open_site_catalog(Settings(directory=site)) as stores:
        return list(stores.people.people())


def machines(site: Path) -> list[Machine]:
    with open_site_catalog(Settings(directory=site)) as stores:
        return list(stores.machines.machines())


def test_a_person_is_added_with_a_one_time_password(site: Path) -> None:
    said = forewarn(
        "people", "add", "anna", "--role", "technician:acme/pune/", "--role", "auditor", "--full-name", "A. B."
    )
    (anna,) = people(site)
    assert anna.grants == (Grant(Role.AUDITOR), Grant(Role.TECHNICIAN, "acme/pune"))
    assert (anna.full_name, anna.must_change, anna.disabled) == ("A. B.", True, False)
    assert HASHING.verify(anna.password_hash, ONE_TIME.findall(said)[0])
    assert "no place 'acme/pune' yet" in said
    assert forewarn("people", "list") == "anna  one-time password    auditor, technician:acme/pune\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("anna", "--role", "technicin"), "there is no role 'technicin'; did you mean 'technician'?"),
        (("anna", "--role", "boss"), "there are: plant_engineer, technician, plant_head, management, admin, auditor"),
        (("anna", "--role", "gateway"), "`forewarn machines add NAME`"),
        (("anna", "--role", "auditor:a//b"), "'a//b' is no path"),
        ((" ",), "is no name"),
        (("x" * 65,), "1 to 64 characters"),
        (("a\x1bb",), "characters that can be seen"),
    ],
)
def test_what_cannot_be_added_is_told(site: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused("people", "add", *arguments)
    assert not site.exists()


def test_a_name_is_given_once(site: Path) -> None:
    forewarn("people", "add", "Anna")
    assert "the name 'Anna' is taken" in refused("people", "add", "ANNA")


def sign_in(stores: Catalog, person: Person, session_id: str) -> None:
    now = now_us()
    session = Session(session_id, person.id, b"s", None, now, now, now + 10**9, "::1", "")
    stores.people.open_session(session, Deed(AuditAction.SIGNED_IN, person.name, session_id))


def test_a_reset_ends_the_sessions_of_that_person(site: Path) -> None:
    old = ONE_TIME.findall(forewarn("people", "add", "anna", "--role", "admin"))[0]
    forewarn("people", "add", "berta")
    with open_site_catalog(Settings(directory=site)) as stores:
        for person in stores.people.people():
            sign_in(stores, person, person.name)
    new = ONE_TIME.findall(forewarn("people", "reset", "ANNA"))[0]
    with open_site_catalog(Settings(directory=site)) as stores:
        anna, berta = stores.people.people()
        assert [session.person_id for session in stores.people.sessions()] == [berta.id]
    assert HASHING.verify(anna.password_hash, new)
    assert not HASHING.verify(anna.password_hash, old)
    assert anna.must_change


def test_people_are_disabled_and_enabled(site: Path) -> None:
    forewarn("people", "add", "anna", "--role", "admin")
    assert "anna is the last admin" in refused("people", "disable", "anna")
    forewarn("people", "add", "berta", "--role", "admin")
    assert forewarn("people", "disable", "anna") == "anna is disabled, and signed out everywhere.\n"
    assert [person.disabled for person in people(site)] == [True, False]
    assert "anna is disabled and cannot sign in" in forewarn("people", "reset", "anna")
    assert forewarn("people", "enable", "anna") == "anna is enabled.\n"
    assert "nobody named 'carla'" in refused("people", "disable", "carla")


def test_a_machine_gets_a_token_or_a_key(site: Path) -> None:
    said = forewarn("machines", "add", "gw1", "--path", "acme/pune", "--path", "acme/goa")
    token = re.search(r"fwe_([0-9a-f]{16})_(\S{43})", said)
    key = re.search(r"fwk_([0-9a-f]{16})_(\S{43})", forewarn("machines", "add", "gw2", "--key"))
    assert token is not None
    assert key is not None
    first, second = machines(site)
    assert first.grants == (Grant(Role.GATEWAY, "acme/goa"), Grant(Role.GATEWAY, "acme/pune"))
    assert (first.id, first.enrol_hash, first.key_hash) == (token[1], hashlib.sha256(token[2].encode()).digest(), None)
    assert first.enrol_until is not None
    assert first.enrol_until - first.created_at == 86_400_000_000
    assert (second.id, second.key_hash, second.enrol_hash) == (key[1], hashlib.sha256(key[2].encode()).digest(), None)
    assert second.grants == (Grant(Role.GATEWAY),)
    assert forewarn("machines", "list").splitlines() == [
        "gw1  waiting   never heard of  gateway:acme/goa, gateway:acme/pune",
        "gw2  enrolled  never heard of  gateway",
    ]


def test_a_revoked_machine_has_no_key_and_its_name_is_free(site: Path) -> None:
    forewarn("machines", "add", "gw1", "--key")
    assert "'gw1' stands already" in refused("machines", "add", "gw1")
    forewarn("machines", "revoke", "gw1")
    (gone,) = machines(site)
    assert (gone.revoked, gone.key_hash, gone.enrol_hash) == (True, None, None)
    assert "no machine 'gw1' stands" in refused("machines", "revoke", "gw1")
    forewarn("machines", "add", "gw1")
    assert len(machines(site)) == 2


def test_commands_that_only_ask_make_no_site(site: Path) -> None:
    for arguments in (("people", "list"), ("people", "reset", "x"), ("machines", "list"), ("machines", "revoke", "x")):
        assert "there is no catalog in" in refused(*arguments)
    assert not site.exists()


def test_everything_is_in_the_audit_log_without_a_secret(site: Path) -> None:
    said = forewarn("people", "add", "anna", "--role", "admin") + forewarn("machines", "add", "gw1", "--key")
    said += forewarn("people", "reset", "anna") + forewarn("machines", "revoke", "gw1")
    shown = forewarn("audit", "show")
    assert all("  local " in line for line in shown.splitlines())
    assert [" ".join(line.split()[-2:]) for line in shown.splitlines()] == [
        "person anna",
        "machine gw1",
        "person anna",
        "machine gw1",
    ]
    secrets = [*ONE_TIME.findall(said), *(key.split("_", 2)[2] for key in re.findall(r"fwk_\S+", said))]
    assert len(secrets) == 3
    stored = b"".join(file.read_bytes() for file in site.rglob("*") if file.is_file())
    assert not [secret for secret in secrets if secret.encode() in stored or secret in shown]


def test_the_first_start_makes_one_admin(site: Path) -> None:
    together = threading.Barrier(3)

    def start(_: int) -> str | None:
        with open_site_catalog(Settings(directory=site)) as stores:
            together.wait(10)
            return ensure_first_admin(stores.people, HASHING, now_us)

    with open_site_catalog(Settings(directory=site)):
        pass
    with ThreadPoolExecutor(3) as pool:
        passwords = [password for password in pool.map(start, range(3)) if password is not None]
    (admin,) = people(site)
    assert (admin.name, admin.grants, admin.must_change) == ("admin", (Grant(Role.ADMIN),), True)
    assert len(passwords) == 1
    assert HASHING.verify(admin.password_hash, passwords[0])


def test_where_somebody_is_there_is_no_first_admin(site: Path) -> None:
    forewarn("people", "add", "anna")
    with open_site_catalog(Settings(directory=site)) as stores:
        assert ensure_first_admin(stores.people, HASHING, now_us) is None
        assert [person.name for person in stores.people.people()] == ["anna"]
