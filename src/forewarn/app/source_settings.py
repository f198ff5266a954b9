"""What is wrong with a source's or an output's settings, by the plugin's own model."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from forewarn.app.plugins import available, load
from forewarn.domain.errors import ConfigurationError
from forewarn.policies.clear_secrets import clear_secrets


def source_faults(_name: str, connector: str, settings: Mapping[str, object]) -> list[str]:
    """Each as `key: reason`, or `reason`."""
    return _faults("connectors", "connector", connector, settings)


def output_faults(_name: str, output: str, settings: Mapping[str, object]) -> list[str]:
    """As source_faults, for an output of a gateway."""
    return _faults("outputs", "output", output, settings)


def broker_faults(settings: Mapping[str, object]) -> list[str]:
    """As source_faults, for the broker by which standby partners agree."""
    return _faults("lease_brokers", "broker", "mqtt", settings)


def _faults(group: str, what: str, name: str, settings: Mapping[str, object]) -> list[str]:
    if name not in available(group):
        return [f"there is no {what} {name!r}; there are: {', '.join(sorted(available(group)))}"]
    if in_clear := clear_secrets(settings):
        return in_clear
    try:
        plugin: Any = load(group, name)
        plugin.settings.model_validate(dict(settings))
    except ConfigurationError as error:
        return [str(error)]
    except ValidationError as error:
        return [f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}" for fault in error.errors()]
    return []
