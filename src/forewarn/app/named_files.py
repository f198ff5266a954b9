"""Settings that are secret may lie in a file of their own: `FOREWARN_DATABASE_URL_FILE` names it."""

import os
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from forewarn.domain.errors import ConfigurationError

SECRET: Final = ("database_url", "oidc_client_secret")  # the first may have a password in it
SUFFIX: Final = "_FILE"


class NamedFiles(PydanticBaseSettingsSource):
    """The first line of the file that `FOREWARN_<SETTING>_FILE` names, for the settings in SECRET."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{self.config['env_prefix']}{field_name.upper()}"
        named = os.environ.get(variable + SUFFIX)
        if field_name not in SECRET or not named:
            return None, field_name, False
        if variable in os.environ:
            raise ConfigurationError(f"{variable} and {variable}{SUFFIX} are both set: remove one of them")
        return read_named(variable + SUFFIX, Path(named)), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def read_named(variable: str, path: Path) -> str:
    """The text of `path`, without the white space around it. Raises ConfigurationError; never tells the text."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{variable} names {path}, which cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{variable} names {path}, which is not UTF-8 text") from None
    if not text:
        raise ConfigurationError(f"{variable} names {path}, which is empty")
    return text
