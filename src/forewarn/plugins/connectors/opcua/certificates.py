"""Certificates: ours, loaded or made, and the server's, judged before it is believed."""

import datetime
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings

_SUFFIXES: Final = (".der", ".pem", ".crt", ".cer")
_VALID_FOR: Final = datetime.timedelta(days=5 * 365)
_making = threading.Lock()


@dataclass(frozen=True, slots=True)
class Identity:
    """Our certificate and key, both DER. made: it was made just now."""

    certificate: bytes
    private_key: bytes
    made: bool = False


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 in hexadecimal, as OPC UA servers show it."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - a name, not a proof


def own_identity(settings: OpcUaSettings) -> Identity:
    """Raises SourceUnreachable: a file that is mended is read again at the next attempt."""
    folder = settings.certificate_folder
    if settings.certificate is None and folder is not None:
        made = _make_if_missing(folder, settings.application_uri)
        cert_file, key_file = folder / "own.der", folder / "own.pem"
    else:
        assert settings.certificate is not None
        assert settings.private_key is not None
        made, cert_file, key_file = False, settings.certificate, settings.private_key
    certificate = load_certificate(cert_file, "certificate")
    remedy = "renew it" if settings.certificate else f"remove it and {key_file}, then a new one is made"
    _check_dates(certificate, f"our certificate {cert_file}", remedy)
    return Identity(
        certificate.public_bytes(serialization.Encoding.DER), load_private_key(key_file, "private_key"), made
    )


def load_certificate(file: Path, field: str) -> x509.Certificate:
    """PEM or DER, told by the content. Raises SourceUnreachable."""
    content = _read(file, field)
    try:
        return _parse(content)
    except ValueError as error:
        raise SourceUnreachable(
            f"{field}: {file} is no certificate in PEM or DER: {error}", condition=ConditionCode.MISCONFIGURED
        ) from None


def load_private_key(file: Path, field: str) -> bytes:
    """As DER (PKCS 8). Raises SourceUnreachable."""
    content = _read(file, field)
    try:
        load = load_pem_private_key if content.startswith(b"-----") else load_der_private_key
        key = load(content, None)
    except (ValueError, TypeError) as error:
        raise SourceUnreachable(
            f"{field}: {file} is no unencrypted private key in PEM or DER: {error}",
            condition=ConditionCode.MISCONFIGURED,
        ) from None
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def judge_server(shown: bytes, url: str, settings: OpcUaSettings) -> bytes:
    """The certificate (DER) to talk to, once it is believed: pinned, in the trusted folder, or issued by who is there.

    Raises SourceUnreachable with CERTIFICATE_EXPIRED, CERTIFICATE_CHANGED or CERTIFICATE_UNTRUSTED."""
    if not shown:
        raise SourceUnreachable(
            f"{url} shows no certificate: its endpoint is not set up for {settings.security}",
            condition=ConditionCode.CERTIFICATE_UNTRUSTED,
        )
    certificate = x509.load_der_x509_certificate(_first_of(shown))
    who = f"the certificate of {url} ({thumbprint(certificate)}, {certificate.subject.rfc4514_string()})"
    _check_trust(certificate, who, url, settings)
    _check_dates(certificate, who, "renew it on the server")
    return certificate.public_bytes(serialization.Encoding.DER)


def _check_trust(certificate: x509.Certificate, who: str, url: str, settings: OpcUaSettings) -> None:
    pinned = list(settings.server_certificate)
    if settings.trust_first_use and not pinned and settings.trusted_certificates is None:
        pinned = [_remember(certificate, url, settings)]
    if any(load_certificate(file, "server_certificate") == certificate for file in pinned):
        return
    if settings.trusted_certificates is not None:
        trusted = list(_in_folder(settings.trusted_certificates))
        if certificate in trusted:
            return
        if any(_issued(authority, certificate) for authority in trusted):
            _check_host(certificate, who, url)
            return
    elif pinned:
        raise SourceUnreachable(
            f"{who} is not the pinned one ({', '.join(map(str, pinned))}): if the server's was renewed, put it there",
            condition=ConditionCode.CERTIFICATE_CHANGED,
        )
    raise SourceUnreachable(
        f"{who} is not trusted: put it, or its issuer's, into {settings.trusted_certificates}",
        condition=ConditionCode.CERTIFICATE_UNTRUSTED,
    )


def _remember(certificate: x509.Certificate, url: str, settings: OpcUaSettings) -> Path:
    """Where the first certificate this server showed is kept."""
    assert settings.certificate_folder is not None
    place = urlsplit(url)
    file = settings.certificate_folder / f"server-{place.hostname}-{place.port}.der"
    if not file.exists():
        _write(file, certificate.public_bytes(serialization.Encoding.DER))
    return file


def _in_folder(folder: Path) -> Iterator[x509.Certificate]:
    if not folder.is_dir():
        raise SourceUnreachable(
            f"trusted_certificates: there is no folder {folder}", condition=ConditionCode.MISCONFIGURED
        )
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in _SUFFIXES:
            yield load_certificate(file, "trusted_certificates")


def _check_host(certificate: x509.Certificate, who: str, url: str) -> None:
    """An authority vouches for many: each may speak for its own machine only."""
    host = urlsplit(url).hostname or ""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found: list[str] = []
    else:
        found = names.get_values_for_type(x509.DNSName)
        found += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    if host.lower() not in [name.lower() for name in found]:
        raise SourceUnreachable(
            f"{who} is for {', '.join(found) or 'no machine'}, not for {host}: write the url with a name in it, or "
            "put the certificate itself into the folder",
            condition=ConditionCode.CERTIFICATE_UNTRUSTED,
        )


def _issued(trusted: x509.Certificate, certificate: x509.Certificate) -> bool:
    """It is a certificate authority that is valid now and signed it."""
    now = datetime.datetime.now(datetime.UTC)
    try:
        authority = trusted.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.verify_directly_issued_by(trusted)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return authority and trusted.not_valid_before_utc <= now <= trusted.not_valid_after_utc


def _check_dates(certificate: x509.Certificate, who: str, remedy: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    if now > certificate.not_valid_after_utc:
        why = f"expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    elif now < certificate.not_valid_before_utc:
        why = f"is valid only from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on (is our clock right?)"
    else:
        return
    raise SourceUnreachable(f"{who} {why}: {remedy}", condition=ConditionCode.CERTIFICATE_EXPIRED)


def _read(file: Path, field: str) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise SourceUnreachable(f"{field}: there is no file {file}", condition=ConditionCode.MISCONFIGURED) from None
    except OSError as error:
        raise SourceUnreachable(
            f"{field}: {file} cannot be read: {error.strerror}", condition=ConditionCode.MISCONFIGURED
        ) from None


def _parse(content: bytes) -> x509.Certificate:
    if b"-----BEGIN" in content:
        return x509.load_pem_x509_certificate(content)
    return x509.load_der_x509_certificate(content)


def _first_of(chain: bytes) -> bytes:
    """Servers may send their certificate with its issuers' behind it: the first one's bytes."""
    return chain[: int.from_bytes(chain[2:4], "big") + 4]


def _make_if_missing(folder: Path, application_uri: str) -> bool:
    with _making:  # sources may share a folder
        return _make(folder, application_uri)


def _make(folder: Path, application_uri: str) -> bool:
    cert_file, key_file = folder / "own.der", folder / "own.pem"
    if cert_file.exists() and key_file.exists():
        return False
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = self_signed(key, application_uri, (socket.gethostname(),), _VALID_FOR)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(key_file, pem)
        _write(cert_file, certificate.public_bytes(serialization.Encoding.DER))
    except OSError as error:
        raise SourceUnreachable(
            f"certificate_folder: {folder} cannot be written: {error.strerror}", condition=ConditionCode.MISCONFIGURED
        ) from None
    return True


def self_signed(
    key: rsa.RSAPrivateKey, application_uri: str, hosts: Sequence[str], valid_for: datetime.timedelta
) -> x509.Certificate:
    """An application instance certificate (OPC UA Part 6, 6.2.2)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Forewarn gateway")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.UniformResourceIdentifier(application_uri), *(x509.DNSName(host) for host in hosts)]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # it signs itself
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + valid_for)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, and for our eyes only."""
    fresh = file.with_name(file.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
