"""Who gets in: the API's access parts of a site, and its first account."""

import hashlib

from forewarn.api.access_book import AccessBook
from forewarn.api.access_parts import AccessParts
from forewarn.api.access_tokens import TokenSigner
from forewarn.app.first_admin import ensure_first_admin
from forewarn.app.listening import on_loopback
from forewarn.app.secrets import read_secret
from forewarn.app.settings import Settings
from forewarn.app.sign_on import single_sign_on
from forewarn.catalog import Catalog
from forewarn.kit.clock import DAY, HOUR, now_us
from forewarn.kit.passwords import PasswordHashing


def access_parts(settings: Settings, catalog: Catalog, hashing: PasswordHashing, *, demo: bool) -> AccessParts:
    """demo: the page may sign in by itself; only ever true for a site on loopback."""
    token_key = read_secret(settings, "token_key")
    signer = TokenSigner(hashlib.sha256(token_key).digest(), now_us)
    people, machines = catalog.people, catalog.machines
    return AccessParts(
        people=people,
        machines=machines,
        book=AccessBook(people, machines, signer, now_us),
        signer=signer,
        hashing=hashing,
        clock=now_us,
        demo=demo and on_loopback(settings.host),
        secure_cookies=settings.tls_certificate is not None or settings.behind_proxy,
        session_us=int(settings.session_hours * HOUR),
        most_us=int(settings.session_days * DAY),
        single_sign_on=single_sign_on(settings, token_key),
    )


def open_access(
    settings: Settings, catalog: Catalog, hashing: PasswordHashing, *, demo: bool
) -> tuple[AccessParts, str | None]:
    """The parts, and the one-time password of `admin` where nobody had an account yet: print it, keep it nowhere."""
    by_itself = demo and on_loopback(settings.host)
    password = None if by_itself else ensure_first_admin(catalog.people, hashing, now_us)
    return access_parts(settings, catalog, hashing, demo=by_itself), password
