"""Application certificates of servers and clients, made for a test."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Made:
    """PEM files, and what was made."""

    certificate: Path
    key: Path
    shown: x509.Certificate
    secret: rsa.RSAPrivateKey


def make(
    folder: Path,
    name: str,
    *,
    uri: str = "urn:forewarn:peer",
    days: float = 2,
    issuer: Made | None = None,
    ca=False,
    host="127.0.0.1",
) -> Made:
    """Valid from two days ago for `days` from now on; self-signed without an issuer."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [
        x509.UniformResourceIdentifier(uri),
        x509.IPAddress(ipaddress.ip_address(host)),
    ]
    signer = issuer.secret if issuer else secret
    usage = dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False)
    usage |= dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), True)
    shown = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.shown.subject if issuer else subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=ca), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(secret.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    made = Made(folder / f"{name}.pem", folder / f"{name}.key", shown, secret)
    made.certificate.write_bytes(shown.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made
