"""What a machine is known by that shows a client certificate."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from forewarn.domain.errors import InvalidInput


def fingerprint_of(pem: str, now_us: int) -> str:
    """SHA-256 (hex) of the certificate in `pem`; of several, of the first, which the others signed.

    now_us: microseconds UTC. Raises InvalidInput for what is no certificate, is out of date, or comes with a key."""
    if "PRIVATE KEY" in pem:
        raise InvalidInput(
            "certificate: a private key is the machine's alone; send the certificate", field="certificate"
        )
    try:
        certificate = x509.load_pem_x509_certificates(pem.encode("ascii"))[0]
    except ValueError:
        raise InvalidInput("certificate: holds no certificate in PEM", field="certificate") from None
    until = certificate.not_valid_after_utc
    if until <= datetime.fromtimestamp(now_us / 1e6, UTC):
        raise InvalidInput(f"certificate: it was valid until {until:%Y-%m-%d %H:%M} UTC", field="certificate")
    return certificate.fingerprint(hashes.SHA256()).hex()
