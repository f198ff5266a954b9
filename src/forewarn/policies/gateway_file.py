"""A gateway file (TOML): a plant file with the table `gateway`; every mistake is told with its line."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from forewarn.domain.assets import Plant
from forewarn.domain.errors import ConfigurationError
from forewarn.policies.gateway_settings import (
    GatewaySettings,
    OutputSettings,
    StandbySettings,
    ThinMethod,
    ThinRuleWords,
    ThinWords,
    UplinkSettings,
)
from forewarn.policies.plant_file import SourceCheck, open_file, read_plant
from forewarn.policies.toml_table import Table, did_you_mean
from forewarn.policies.whole_stretches import LEAST_EVERY_S, LONGEST_S, MOST_EVERY_S, WholeStretches

OutputCheck = Callable[[str, str, Mapping[str, object]], Sequence[str]]
BrokerCheck = Callable[[Mapping[str, object]], Sequence[str]]
_THIN: Final = ("method", "error", "error_percent", "max_gap_s")
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway": (
        "name",
        "directory",
        "disk_budget_mib",
        "keep_raw_hours",
        "detectors",
        "uplink",
        "thin",
        "output",
        "standby",
    ),
    "gateway.uplink": (
        "url",
        "key_env",
        "key_file",
        "ca",
        "certificate",
        "private_key",
        "heartbeat_s",
        "timeout_s",
        "model_keys",
    ),
    "gateway.thin": (*_THIN, "context_s", "finding_full_s", "hold_s", "whole_s", "whole_every_s", "rule"),
    "gateway.thin.rule": ("signals", *_THIN),
    "gateway.output": ("name", "output", "settings"),
    "gateway.standby": ("group", "seconds", "broker"),
}
# A quarter of it goes to reserves and write-ahead logs, a sixth or so to alarms and findings (gateway/disk_budget.py).
_LEAST_BUDGET_MIB: Final = 64
_MOST_NAME: Final = 128
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_GAP_S: Final = 86_400.0


def parse_gateway(
    text: str,
    file: str,
    validate_source: SourceCheck | None = None,
    validate_output: OutputCheck | None = None,
    validate_broker: BrokerCheck | None = None,
    detectors: Collection[str] | None = None,
) -> tuple[GatewaySettings, Plant]:
    """Read a gateway file. `file` is what messages call it; validate_*: as for `parse_plant`; detectors: those that
    there are.

    Raises ConfigurationError with every mistake found, one `file:line: reason` a line; its `where` is the first."""
    root = open_file(text, file)
    plant = read_plant(root, validate_source)
    settings = _gateway(root, validate_output, validate_broker, detectors)
    root.problems.raise_if_any()
    return settings, plant


def _gateway(
    root: Table, validate: OutputCheck | None, validate_broker: BrokerCheck | None, detectors: Collection[str] | None
) -> GatewaySettings:
    if not root.has("gateway"):
        root.wrong(None, 'the table "gateway" is missing: add [gateway] with name = "..."')
    table = root.table("gateway", KEYS["gateway"])
    thin = table.table("thin", KEYS["gateway.thin"])
    words = _thin(thin, ThinWords())
    given: dict[str, Any] = {
        "directory": _path(table, "directory"),
        "disk_budget_mib": _whole(table, "disk_budget_mib", _LEAST_BUDGET_MIB),
        "keep_raw_hours": table.number("keep_raw_hours", above=0),
        "detectors": _detectors(table, detectors),
        "context_s": thin.number("context_s", least=0),
        "finding_full_s": thin.number("finding_full_s", least=0),
        "hold_s": thin.number("hold_s", least=0),
        "whole": _stretches(thin),
    }
    return GatewaySettings(
        name=_name(table) if root.has("gateway") else "",
        uplink=_uplink(table),
        thin=words,
        thin_rules=tuple(_thin_rules(thin, words)),
        outputs=tuple(_outputs(table, validate)),
        standby=_standby(table, validate_broker),
        **{key: value for key, value in given.items() if value is not None},
    )


def _name(table: Table) -> str:
    name = table.text("name", required=True) or ""
    if len(name) > _MOST_NAME or not name.isprintable():
        table.wrong("name", f"name must be at most {_MOST_NAME} printable characters")
    return name


def _path(table: Table, key: str) -> Path | None:
    text = table.text(key)
    return None if text is None else Path(text)


def _whole(table: Table, key: str, least: int, most: int | None = None) -> int | None:
    number = table.number(key, least=least, most=most)
    if number is not None and number != int(number):
        table.wrong(key, f"{key} must be a whole number, not {number}")
    return None if number is None else int(number)


def _detectors(table: Table, known: Collection[str] | None) -> tuple[str, ...] | None:
    words = table.words("detectors")
    for word in words or ():
        if known is not None and word not in known:
            table.wrong("detectors", f'there is no detector "{word}"{did_you_mean(word, sorted(known))}')
    return None if words is None else tuple(words)


def _thin(table: Table, default: ThinWords) -> ThinWords:
    if table.has("error") and table.has("error_percent"):
        table.wrong("error_percent", "error and error_percent are both set: keep one")
    words = replace(
        default,
        method=table.choice("method", ThinMethod) or default.method,
        max_gap_s=table.number("max_gap_s", least=1, most=_LONGEST_GAP_S) or default.max_gap_s,
    )
    if (error := table.number("error", least=0)) is not None:
        return replace(words, error=error, error_percent=None)
    if (percent := table.number("error_percent", least=0, most=100)) is not None:
        return replace(words, error=None, error_percent=percent)
    return words


def _stretches(table: Table) -> WholeStretches | None:
    """None where it is wrong."""
    seconds = _whole(table, "whole_s", 0, LONGEST_S)
    every_s = _whole(table, "whole_every_s", LEAST_EVERY_S, MOST_EVERY_S)
    usual = WholeStretches()
    try:
        return WholeStretches(
            usual.seconds if seconds is None else seconds, usual.every_s if every_s is None else every_s
        )
    except ConfigurationError as error:
        table.wrong("whole_s" if table.has("whole_s") else "whole_every_s", str(error))
        return None


def _thin_rules(table: Table, default: ThinWords) -> list[ThinRuleWords]:
    rules = []
    for rule in table.tables("rule", KEYS["gateway.thin.rule"]):
        signals = rule.text("signals", required=True)
        words = _thin(rule, default)
        if signals is not None:
            rules.append(ThinRuleWords(signals, words))
    return rules


def _uplink(gateway: Table) -> UplinkSettings | None:
    if not gateway.has("uplink"):
        return None
    table = gateway.table("uplink", KEYS["gateway.uplink"])
    url = table.text("url", required=True) or ""
    if url and not _is_address(url):
        table.wrong("url", f'url must be like "https://site.example:8080", not {url!r}')
    if table.has("key_env") and table.has("key_file"):
        table.wrong("key_file", "key_env and key_file are both set: keep one")
    if table.has("certificate") != table.has("private_key"):
        table.wrong(None, "certificate and private_key belong together: set both or none")
    keys = tuple(word.lower() for word in table.words("model_keys") or ())
    if any(not _KEY.fullmatch(key) for key in keys):
        table.wrong("model_keys", "model_keys are 64 hexadecimal digits each: the site's page of this gateway has them")
    defaults = UplinkSettings(url)
    return UplinkSettings(
        url=url.rstrip("/"),
        key_env=table.text("key_env"),
        key_file=_path(table, "key_file"),
        ca=_path(table, "ca"),
        certificate=_path(table, "certificate"),
        private_key=_path(table, "private_key"),
        heartbeat_s=table.number("heartbeat_s", least=1) or defaults.heartbeat_s,
        timeout_s=table.number("timeout_s", least=1) or defaults.timeout_s,
        model_keys=keys,
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and not parts.query
    except ValueError:
        return False


def _outputs(gateway: Table, validate: OutputCheck | None) -> list[OutputSettings]:
    found: dict[str, OutputSettings] = {}
    for table in gateway.tables("output", KEYS["gateway.output"]):
        output = table.text("output", required=True)
        name = table.text("name") or output
        settings = table.table("settings", None).content
        if output is None or name is None:
            continue
        if name in found:
            table.wrong("name", f'output "{name}" is described twice: give one of them another name')
        for reason in validate(name, output, settings) if validate else ():
            key = reason.partition(":")[0]
            path = ("settings", *key.split(".")) if table.has("settings") else ()
            table.problems.add((*table.path, *path), f"output settings: {reason}")
        found[name] = OutputSettings(name, output, dict(settings))
    return list(found.values())


def _standby(gateway: Table, validate: BrokerCheck | None) -> StandbySettings | None:
    if not gateway.has("standby"):
        return None
    table = gateway.table("standby", KEYS["gateway.standby"])
    group = table.text("group", required=True) or ""
    broker = table.table("broker", None).content if table.has("broker") else None
    for reason in validate(broker) if validate and broker is not None else ():
        key = reason.partition(":")[0]
        table.problems.add((*table.path, "broker", *key.split(".")), f"broker: {reason}")
    seconds = table.number("seconds", least=5)
    return StandbySettings(group, seconds or StandbySettings("").seconds, broker)
