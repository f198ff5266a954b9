"""A gateway file read from disk, with the plugins' own checks of their settings."""

from pathlib import Path

from forewarn.app.plugins import available
from forewarn.app.source_settings import broker_faults, output_faults, source_faults
from forewarn.domain.assets import Plant
from forewarn.domain.errors import ConfigurationError
from forewarn.policies.gateway_file import parse_gateway
from forewarn.policies.gateway_settings import GatewaySettings


def read_gateway_file(path: Path) -> tuple[GatewaySettings, Plant]:
    """Raises ConfigurationError listing every mistake with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no such file: describe the gateway in it (docs/gateway-file.md), or name another with --config",
            where=str(path),
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read: {error}", where=str(path)) from error
    return parse_gateway(text, str(path), source_faults, output_faults, broker_faults, available("detectors"))
