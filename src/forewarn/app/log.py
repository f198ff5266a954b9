"""Structured logs: text for people, JSON lines for machines. Secrets never reach a log call."""

import logging
import sys
from typing import Protocol

import structlog


class LogSettings(Protocol):
    """log_level: a name that `logging` knows. log_format: console or json."""

    @property
    def log_level(self) -> str: ...

    @property
    def log_format(self) -> str: ...


def set_up_logging(settings: LogSettings) -> None:
    """Route structlog and the standard library's loggers to standard error in the chosen form."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_commands,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("alembic", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    quieten_libraries()


def _without_commands(_logger: object, _method: str, told: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What a stranger sent (a path, a name) must not command the terminal that shows the log."""
    for key, value in told.items():
        if isinstance(value, str) and key != "exception" and not value.isprintable():
            told[key] = "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in value)
    return told


def quieten_libraries() -> None:
    """They print stack traces whenever a peer goes away; our own supervisor says in one line what was lost and why."""
    for noisy in ("asyncua", "pymodbus", "paho"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
