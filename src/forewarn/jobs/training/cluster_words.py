"""What can be wrong with a cluster, and what to do about it."""

from forewarn import __version__
from forewarn.domain.errors import ConfigurationError

_LOCAL = "set FOREWARN_TRAINING_EXECUTOR=local"


def unreachable(executor: str, address: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the {executor} cluster at {_place(address)} does not answer ({_last_line(error)}): "
        f"check FOREWARN_TRAINING_ADDRESS, or {_LOCAL}"
    )


def gone(executor: str, address: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the {executor} cluster at {_place(address)} went away ({_last_line(error)}): what is left is trained when it "
        f"is back, or {_LOCAL}"
    )


def no_worker(executor: str, address: str, waited_s: float) -> ConfigurationError:
    return ConfigurationError(
        f"the {executor} cluster at {_place(address)} has no worker, and none came within {waited_s:.0f} s: start one, "
        f"or {_LOCAL}"
    )


def no_forewarn(executor: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the {executor} cluster cannot load what it is to do ({_last_line(error)}): install there the same Forewarn "
        f"as here ({__version__}, extra platform; train as well for detectors that learn with JAX)"
    )


def _place(address: str) -> str:
    return address or "its default address"


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
