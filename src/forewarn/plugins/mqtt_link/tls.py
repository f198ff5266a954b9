"""TLS to a broker: the context, and what a refusal means."""

import datetime
import ssl
from pathlib import Path
from typing import Final

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.plugins.mqtt_link.settings import BrokerSettings

# X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED (openssl, x509_vfy.h)
_NOT_IN_TIME: Final = (9, 10)
# What the broker says of our certificate: alert names as OpenSSL spells them, in part.
_ALERTS: Final = (
    ("CERTIFICATE_EXPIRED", ConditionCode.CERTIFICATE_EXPIRED, "our certificate has expired: renew it"),
    ("CERTIFICATE_REQUIRED", ConditionCode.CREDENTIALS_REFUSED, "it asks for a certificate: set certificate and key"),
    ("UNKNOWN_CA", ConditionCode.CERTIFICATE_UNTRUSTED, "it does not know the signer of our certificate"),
    ("BAD_CERTIFICATE", ConditionCode.CERTIFICATE_UNTRUSTED, "it does not accept our certificate"),
    ("CERTIFICATE_UNKNOWN", ConditionCode.CERTIFICATE_UNTRUSTED, "it does not accept our certificate"),
    ("CERTIFICATE_REVOKED", ConditionCode.CERTIFICATE_UNTRUSTED, "our certificate was revoked"),
    ("HANDSHAKE_FAILURE", ConditionCode.CREDENTIALS_REFUSED, "it broke off: does it ask for a certificate of ours?"),
)


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Raises ConfigurationError naming the file that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ca {settings.ca} cannot be read: {error}") from error
    if settings.certificate is not None:
        try:
            context.load_cert_chain(settings.certificate, settings.private_key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"certificate {settings.certificate} with private_key {settings.private_key} cannot be used: {error}"
            ) from error
    return context


def refusal(where: str, error: OSError, settings: BrokerSettings) -> SourceUnreachable:
    """What to tell of a connection that `error` ended."""
    if isinstance(error, ssl.SSLCertVerificationError):
        expired = error.verify_code in _NOT_IN_TIME
        code = ConditionCode.CERTIFICATE_EXPIRED if expired else ConditionCode.CERTIFICATE_UNTRUSTED
        remedy = "renew it there, or set our clock" if expired else "set ca to who signed it, if it is the right broker"
        text = f"the certificate of {where} is not trusted ({error.verify_message}): {remedy}"
        return SourceUnreachable(text, condition=code)
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).upper()
        for part, code, text in _ALERTS:
            if part in reason:
                return SourceUnreachable(f"{where} refuses the connection: {text} ({reason})", condition=code)
    if (ended := _expired(settings.certificate)) is not None:
        text = f"{where} ended the connection; our certificate {settings.certificate} expired {ended}: renew it"
        return SourceUnreachable(text, condition=ConditionCode.CERTIFICATE_EXPIRED)
    return SourceUnreachable(f"{where} does not answer: {str(error) or type(error).__name__}")


def _expired(certificate: Path | None) -> str | None:
    """When, if it has."""
    if certificate is None:
        return None
    from cryptography import x509  # late: heavy, and needed when something is wrong only

    try:
        until = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
    return until.isoformat() if until < datetime.datetime.now(datetime.UTC) else None
