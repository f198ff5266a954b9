"""Settings read, with every mistake told as a sentence: where it was set, its value, what it may be."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from forewarn.app.named_files import SECRET, SUFFIX
from forewarn.app.settings import Settings
from forewarn.domain.errors import ConfigurationError

FILE = str(Settings.model_config["toml_file"])
PREFIX = str(Settings.model_config["env_prefix"])
_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


def read_settings(**options: Any) -> Settings:
    """The command line's `options` (None: not given) over the environment over forewarn.toml.

    Raises ConfigurationError with one line a mistake."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_told(fault, given) for fault in error.errors())) from None
    except SettingsError as error:
        raise _not_json(error) from None
    except tomllib.TOMLDecodeError as error:
        at = _LINE.search(str(error))
        where = f"{FILE}:{at[1]}" if at else FILE
        raise ConfigurationError(f"not valid TOML: {_LINE.sub('', str(error))}", where=where) from None
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"cannot be read: {error}", where=FILE) from None


def misspelt_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like a setting's and are none -> the one that was probably meant."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    known += [f"{PREFIX}{name.upper()}{SUFFIX}" for name in SECRET]
    ours = [name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known]
    close = {name: difflib.get_close_matches(name.upper(), known, 1, 0.85) for name in ours}
    return {name: meant[0] for name, meant in close.items() if meant}


def _told(fault: ErrorDetails, given: Mapping[str, object]) -> str:
    if not fault["loc"]:
        return fault["msg"].removeprefix("Value error, ")
    name = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        meant = difflib.get_close_matches(name.lower(), Settings.model_fields, 1)
        remedy = f"did you mean {meant[0]!r}?" if meant else f"there are: {', '.join(Settings.model_fields)}"
        return f"{FILE}: there is no setting {name!r}; {remedy}"
    reason = fault["msg"].partition(", unable to parse")[0]
    reason = reason.removeprefix("Input ").removeprefix("String ")
    field = Settings.model_fields[name]
    default = json.dumps(field.default, default=str) if field.default is not None else "none"
    value = "(not shown)" if name in SECRET else repr(fault["input"])
    return f"{_origin(name, given)} = {value} {reason}. {field.description}; default: {default}"


def _origin(name: str, given: Mapping[str, object]) -> str:
    if name in given:
        return f"--{name}"
    variable = f"{PREFIX}{name.upper()}"
    return variable if _value(variable) is not None else f"{FILE}: {name}"


def _value(variable: str) -> str | None:
    return next((value for name, value in os.environ.items() if name.upper() == variable), None)


def _not_json(error: SettingsError) -> ConfigurationError:
    """Lists and the role map come as JSON in environment variables; that is what a SettingsError is about."""
    field = re.search(r'field "(\w+)"', str(error))
    if field is None:
        return ConfigurationError(str(error))
    variable = f"{PREFIX}{field[1].upper()}"
    value = _value(variable) or ""
    if field[1] == "oidc_role_map":
        wanted = '{"maintenance": "technician:acme/pune"}'
        return ConfigurationError(f"{variable} = {value!r} is not an object in JSON; write {variable}='{wanted}'")
    wanted = json.dumps([part for part in re.split(r"[,;\s\[\]\"']+", value) if part] or ["limits"])
    return ConfigurationError(f"{variable} = {value!r} is not a list in JSON; write {variable}='{wanted}'")
