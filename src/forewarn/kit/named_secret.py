"""A secret that settings name and do not hold."""

import os
from pathlib import Path


def named_secret(what: str, variable: str | None, file: Path | None) -> str | None:
    """The text of the environment's `variable`, or of `file` without white space around it; None if neither is named.

    what: the settings' name for it, before `_env` and `_file`. Raises LookupError, which tells where
    was looked, never the text."""
    if variable is not None:
        found = os.environ.get(variable)
        if found is None:
            raise LookupError(f"{what}_env: the environment has no {variable}: set it, or remove the line")
        return found
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LookupError(f"{what}_file: {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LookupError(f"{what}_file: {file} is not UTF-8 text") from None
