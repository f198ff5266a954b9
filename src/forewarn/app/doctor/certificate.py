"""The web server's certificate: usable, and for how long."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from forewarn.app.doctor.check import Check
from forewarn.app.settings import Settings
from forewarn.app.tls import ServerTls
from forewarn.domain.errors import ConfigurationError

_SOON: Final = timedelta(days=21)
_RENEW: Final = "renew it; a running site takes the files over by itself"


def certificates(settings: Settings) -> Iterator[Check]:
    """Nothing where the settings name none."""
    if settings.tls_certificate is None:
        return
    try:
        ServerTls.of(settings)
    except ConfigurationError as error:
        yield Check("certificate", False, str(error), "the site does not start like this: mend what is named")
        return
    yield _lasting("certificate", settings.tls_certificate)
    if settings.client_ca is not None:
        yield _lasting("client CA", settings.client_ca)


def _lasting(name: str, file: Path) -> Check:
    """By the one in the file that ends first."""
    now = datetime.now(UTC)
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        return Check(name, False, f"{file}: {error}", "it must be a PEM file that this user may read")
    until = min(one.not_valid_after_utc for one in found)
    since = max(one.not_valid_before_utc for one in found)
    if since > now:
        return Check(name, False, f"valid from {since:%Y-%m-%d %H:%M} UTC only", "set the clock, or wait")
    if until <= now:
        return Check(name, False, f"was valid until {until:%Y-%m-%d %H:%M} UTC", _RENEW)
    return Check(name, until - now > _SOON, f"valid until {until:%Y-%m-%d %H:%M} UTC", _RENEW, warning=True)
