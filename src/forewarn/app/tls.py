"""TLS of the web server: the certificate from files, taken over when they change, and client certificates."""

import os
import ssl
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from forewarn.app.settings import Settings
from forewarn.domain.errors import ConfigurationError

_log = structlog.get_logger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]
_OTHERS: Final = stat.S_IRWXO
_NAMES: Final = ("tls_certificate", "tls_key", "client_ca")


class ServerTls:
    """`context` serves what the files held when they were last good."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        """Raises ConfigurationError that names the file and the remedy."""
        self._files = certificate, key, client_ca
        self._stamp, self._told = _stamp(self._files), ""
        self._current = _context(*self._files)
        # Made of the first files and never changed: each handshake is handed to the newest.
        self.context = _context(*self._files)
        self.context.sni_callback = self._hand_over

    @classmethod
    def of(cls, settings: Settings) -> "ServerTls | None":
        """None without a certificate in the settings. Raises ConfigurationError."""
        if settings.tls_certificate is None or settings.tls_key is None:
            return None
        return cls(settings.tls_certificate, settings.tls_key, settings.client_ca)

    def refresh(self) -> bool:
        """Take over changed files for new connections; True if so. What cannot be used is logged and the last good
        one stays."""
        try:
            stamp = _stamp(self._files)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            fresh = _context(*self._files)
        except ConfigurationError as error:
            if str(error) != self._told:  # once, not once a second for as long as a file is missing
                self._told = str(error)
                _log.error("certificate_not_taken_over", error=self._told)
            return False
        self._told = ""
        self._current = fresh
        _log.info("certificate_taken_over", certificate=str(self._files[0]))
        return True

    def _hand_over(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current


def _context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    _refuse_readable(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise ConfigurationError(_why(certificate, key, error)) from None
    except OSError as error:
        raise ConfigurationError(f"tls_certificate {certificate}, tls_key {key}: {error.strerror}") from None
    if client_ca is not None:
        _trust(context, client_ca)
    return context


def _trust(context: ssl.SSLContext, client_ca: Path) -> None:
    try:
        context.load_verify_locations(client_ca)
    except ssl.SSLError:
        raise ConfigurationError(f"client_ca {client_ca} holds no certificate in PEM") from None
    except OSError as error:
        raise ConfigurationError(f"client_ca {client_ca}: {error.strerror}") from None
    context.verify_mode = ssl.CERT_OPTIONAL
    # A resumed session would show a certificate that was checked at another time, by another list of authorities.
    # TLS 1.3 resumes by tickets alone; 1.2 also by a cache of the server's that nothing empties.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def _no_password() -> str:
    raise ConfigurationError("tls_key is encrypted; a server starts without anybody there: store it unencrypted, 600")


def _why(certificate: Path, key: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"tls_key {key} is not the key of tls_certificate {certificate}"
    return (
        f"tls_certificate {certificate} or tls_key {key} cannot be used ({error.reason or error}): both are PEM files, "
        "the certificate first and what signed it below"
    )


def _refuse_readable(key: Path) -> None:
    mode = _found("tls_key", key).st_mode
    if mode & _OTHERS:
        raise ConfigurationError(
            f"tls_key {key} can be read by everybody on this machine (mode {stat.S_IMODE(mode):03o}): `chmod 600 "
            f"{key}`, and if others work on this machine, replace the key"
        )


def _stamp(files: Sequence[Path | None]) -> _Stamp:
    """Changes with the files. Follows links, as certbot and Kubernetes swap them."""
    found = [_found(name, file) for name, file in zip(_NAMES, files, strict=True) if file is not None]
    return tuple((one.st_mtime_ns, one.st_ino, one.st_size) for one in found)


def _found(name: str, file: Path) -> os.stat_result:
    try:
        return os.stat(file)
    except OSError as error:
        raise ConfigurationError(f"{name} {file}: {error.strerror}") from None
