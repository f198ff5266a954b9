"""One [[asset]] of a plant file."""

import math
import re
from difflib import get_close_matches

from forewarn.domain.assets import Asset, AssetStatus, Component
from forewarn.domain.errors import InvalidInput
from forewarn.policies.asset_templates import RATINGS, TEMPLATES
from forewarn.policies.asset_templates.model import FAILURE_MODES
from forewarn.policies.asset_templates.ratings import CHOICES, MAY_BE_NEGATIVE
from forewarn.policies.bearing_frequencies import bearing_geometry
from forewarn.policies.toml_table import Table, did_you_mean

PLAIN_ID = re.compile(r"[^\W_][\w.\-]*")
_LEVELS = ("enterprise", "site", "area", "line")
_OTHER_NAMES = {"rated_rpm": "rated_speed_rpm", "speed_rpm": "rated_speed_rpm", "power": "rated_power_kw"}


def read_asset(table: Table) -> Asset:
    """What the table says; parts that are wrong are noted and left empty."""
    asset_id = table.text("id", required=True) or ""
    if asset_id and not PLAIN_ID.fullmatch(asset_id):
        table.wrong("id", f'id "{asset_id}" may hold letters, digits, "_", "-" and "." only, a letter or digit first')
    template = table.word("template", TEMPLATES) or ""
    specifications = _specifications(table)
    return Asset(
        id=asset_id,
        name=table.text("name") or asset_id,
        path=_path(table),
        template=template,
        status=table.choice("status", AssetStatus) or AssetStatus.ACTIVE,
        components=_components(table, template, specifications),
        specifications=specifications,
    )


def _path(table: Table) -> tuple[str, str, str, str]:
    text = table.text("path", required=True)
    if text is None:
        return ("", "", "", "")
    parts = text.strip("/").split("/")
    if len(parts) != len(_LEVELS):
        table.wrong("path", f'path "{text}" has {len(parts)} levels, wanted 4: {"/".join(_LEVELS)}')
        return ("", "", "", "")
    for part, level in zip(parts, _LEVELS, strict=True):
        if not PLAIN_ID.fullmatch(part):
            table.wrong("path", f'{level} "{part}" may hold letters, digits, "_", "-" and "." only')
    return (parts[0], parts[1], parts[2], parts[3])


def _specifications(table: Table) -> dict[str, str | float | int | bool]:
    part = table.table("specifications", None)
    kept: dict[str, str | float | int | bool] = {}
    for key, value in part.content.items():
        if not isinstance(value, str | float | int | bool):
            part.wrong(key, f"{key} must be a text, a number or true/false")
        elif isinstance(value, float) and not math.isfinite(value):
            part.wrong(key, f"{key} must be a finite number, not {value}")
        elif isinstance(value, str) and "\x00" in value:
            part.wrong(key, f"{key} holds a NUL character")
        else:
            _check_known(part, key)
            kept[key] = value
    try:
        bearing_geometry(kept)
    except InvalidInput as error:
        part.wrong(error.field if error.field in kept else None, str(error))
    return kept


def _check_known(part: Table, key: str) -> None:
    """Specifications are free, but one that looks like a misspelt rating would be lost without a word."""
    if key in RATINGS:
        part.number(key, above=None if key in MAY_BE_NEGATIVE else 0.0)
    elif key in CHOICES:
        part.word(key, CHOICES[key])
    elif meant := _misspelt(key):
        part.wrong(key, f'specification "{key}" is unknown; did you mean "{meant}"?')


def _misspelt(key: str) -> str | None:
    known = {**RATINGS, **CHOICES}
    for guess in (key.lower(), f"rated_{key.lower()}", _OTHER_NAMES.get(key.lower(), "")):
        if guess in known:
            return guess
    return next(iter(get_close_matches(key.lower(), known, n=1, cutoff=0.9)), None)


def _components(
    table: Table, template: str, specifications: dict[str, str | float | int | bool]
) -> tuple[Component, ...]:
    parts = {c.name: c for c in TEMPLATES[template].components_for(specifications)} if template else {}
    said = table.table("components", None)
    for name in said.content:
        modes = said.words(name)
        for mode in modes or ():
            if mode not in FAILURE_MODES:
                said.wrong(name, f'failure mode "{mode}" is not an ISO 14224 code{did_you_mean(mode, FAILURE_MODES)}')
        parts[name] = Component(name, tuple(modes or ()))
    return tuple(parts.values())
