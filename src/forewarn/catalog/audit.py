"""The audit log: a chain of entries that nobody without the key can rewrite."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Select, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from forewarn.catalog.audit_anchor import Anchor, AnchorDamaged
from forewarn.catalog.audit_chain import COLUMNS, ChainEnd, ChainWalk, digest_of
from forewarn.catalog.engine import Database, after_commit, catalog_url, create_catalog_engine
from forewarn.catalog.tables import audit, audit_head
from forewarn.contracts.audit_log import AuditQuery, AuditReport
from forewarn.domain.audit import AuditAction, AuditEntry, Deed
from forewarn.domain.errors import InvalidInput, StorageFailed
from forewarn.kit.clock import now_us

_MOST: Final = 10_000
_PIECE: Final = 1_000
_LONGEST: Final = {"actor": 500, "target": 500, "address": 500, "why": 4_000, "trace_id": 500}
_TAMPERED: Final = "run `forewarn audit verify`; nothing is recorded, and so nothing done, until it is restored"


class CatalogAudit:
    """AuditLog in the catalog. anchor: the file that remembers the chain's end; None for a log without one."""

    def __init__(self, database: Database, now: Callable[[], int], key: bytes, anchor: Path | None) -> None:
        self._database = database
        self._now = now
        self._key = key
        self._anchor = None if anchor is None else Anchor(anchor, key)

    def record(self, deed: Deed) -> AuditEntry:
        with self._database.write() as connection:
            return self.append(connection, deed)

    def append(self, connection: Connection, deed: Deed) -> AuditEntry:
        """Add `deed` to a transaction of `Database.write`: the two are durable together or not at all.

        The last thing to do there, as other writers wait for the chain's end from here on. A text is cut at 500
        characters (why: 4,000). Raises InvalidInput when before or after is no JSON, StorageFailed."""
        with _whole_sight(connection):
            head = _head(connection, lock=True)
            if head is None:
                raise StorageFailed(f"the audit log has no head: {_TAMPERED}")
            if head.number == 0:
                self._begin_anchor()
            row = _row(head.number + 1, self._now(), deed)
            digest = digest_of(self._key, [row[name] for name in COLUMNS], head.digest)
            try:
                connection.execute(insert(audit).values(**row, digest=digest))
            except IntegrityError as error:
                raise StorageFailed(
                    f"the audit log's head was moved, entry {row['number']} exists: {_TAMPERED}"
                ) from error
            connection.execute(update(audit_head).values(number=row["number"], digest=digest))
        end = ChainEnd(row["number"], digest)
        if self._anchor is not None:
            anchor = self._anchor
            after_commit(connection, lambda: anchor.move(end, self._digest_at))
        return _entry({**row, "digest": digest})

    def find(self, query: AuditQuery) -> Sequence[AuditEntry]:
        if query.limit < 1:
            raise InvalidInput(f"limit must be at least 1, not {query.limit}", field="limit")
        newest = _matching(query).order_by(audit.c.number.desc()).limit(min(query.limit, _MOST))
        with self._database.read() as connection:
            return [_entry(row._mapping) for row in connection.execute(newest)]

    def pieces(self, query: AuditQuery) -> Iterator[Sequence[AuditEntry]]:
        after, oldest = 0, _matching(query).order_by(audit.c.number).limit(_PIECE)
        while True:
            with self._database.read() as connection:
                rows = connection.execute(oldest.where(audit.c.number > after)).all()
            if not rows:
                return
            after = rows[-1].number
            yield [_entry(row._mapping) for row in rows]

    def verify(self, progress: Callable[[int, int], None] | None = None) -> AuditReport:
        remembered, damage = self._remembered()  # read first: what is committed meanwhile comes after it
        walk = ChainWalk(self._key, remembered)
        with self._database.snapshot() as connection:
            total = connection.execute(select(func.count()).select_from(audit)).scalar_one()
            head = _head(connection)
            if damage and (total or head != ChainEnd(0, "")):
                walk.fault(damage)
            for row in _rows(connection):
                walk.step(row)
                if progress is not None and walk.entries % _PIECE == 0:
                    progress(walk.entries, total)
        if progress is not None:
            progress(walk.entries, total)
        return AuditReport(walk.entries, walk.last.number, walk.end(head))

    def _remembered(self) -> tuple[ChainEnd | None, str]:
        if self._anchor is None:
            return None, ""
        try:
            return self._anchor.read(), ""
        except AnchorDamaged as error:
            return None, str(error)

    def _begin_anchor(self) -> None:
        if self._anchor is None:
            return
        try:
            self._anchor.begin()
        except OSError as error:
            raise StorageFailed(f"the audit log's anchor {self._anchor.path} cannot be written: {error}") from error

    def _digest_at(self, number: int) -> str | None:
        with self._database.read() as connection:
            return connection.execute(select(audit.c.digest).where(audit.c.number == number)).scalar()


@contextmanager
def _whole_sight(connection: Connection) -> Iterator[None]:
    """On PostgreSQL the log is hidden from a transaction that may see a part of the plant only; it may add to it."""
    if connection.dialect.name != "postgresql":
        yield
        return
    scope = connection.execute(text("SELECT current_setting('forewarn.scope', true)")).scalar()
    if scope == "*":
        yield
        return
    widen = text("SELECT set_config('forewarn.scope', :scope, true)")
    connection.execute(widen, {"scope": "*"})
    yield
    connection.execute(widen, {"scope": scope or ""})


def _head(connection: Connection, lock: bool = False) -> ChainEnd | None:
    query = select(audit_head.c.number, audit_head.c.digest)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else ChainEnd(row.number, row.digest)


def _rows(connection: Connection) -> Iterator[Sequence[Any]]:
    """COLUMNS and digest of every entry, a piece in memory at a time."""
    query = select(*(audit.c[name] for name in (*COLUMNS, "digest"))).order_by(audit.c.number)
    streamed = connection.execution_options(yield_per=_PIECE)
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        yield from streamed.execute(query)
        return
    driver.text_factory = _any_text  # bytes that are no text are a fault with a number, not a refusal
    try:
        yield from streamed.execute(query)
    finally:
        driver.text_factory = str


def _any_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _row(number: int, at: int, deed: Deed) -> dict[str, Any]:
    texts = {name: _kept(getattr(deed, name), longest) for name, longest in _LONGEST.items()}
    parts = {"before": _json(deed.before), "after": _json(deed.after)}
    return {"number": number, "at": at, "action": deed.action.value, **texts, **parts}


def _kept(given: str, longest: int) -> str:
    """As every database takes it: whoever may not sign in chooses some of these texts."""
    whole = given.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return whole if len(whole) <= longest else whole[: longest - 1] + "\u2026"


def _json(part: Mapping[str, object] | None) -> str | None:
    if part is None:
        return None
    try:
        return json.dumps(part, allow_nan=False, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the audit log keeps before and after as JSON: {error}") from error


def _entry(columns: Any) -> AuditEntry:
    texts = {name: columns[name] for name in _LONGEST}
    deed = Deed(_action(columns["action"]), before=_told(columns["before"]), after=_told(columns["after"]), **texts)
    return AuditEntry(columns["number"], columns["at"], deed, columns["digest"])


def _action(word: str) -> AuditAction:
    """Rows that somebody wrote past us must not hide the others; `verify` names them."""
    try:
        return AuditAction(word)
    except ValueError:
        return AuditAction.UNREADABLE


def _told(text: str | None) -> Mapping[str, object] | None:
    try:
        found = None if text is None else json.loads(text)
    except ValueError:
        return {"unreadable": text}
    return found if found is None or isinstance(found, dict) else {"unreadable": text}


def _matching(query: AuditQuery) -> Select[Any]:
    c, found = audit.c, select(audit)
    if query.actions:
        found = found.where(c.action.in_([action.value for action in query.actions]))
    if query.actor is not None:
        found = found.where(c.actor == query.actor)
    if query.text:
        found = found.where(
            or_(*(column.icontains(query.text, autoescape=True) for column in (c.actor, c.target, c.why)))
        )
    if query.start is not None:
        found = found.where(c.at >= query.start)
    if query.end is not None:
        found = found.where(c.at < query.end)
    if query.before is not None:
        found = found.where(c.number < query.before)
    return found


@contextmanager
def open_audit(url: str, key: bytes, anchor: Path | None, now: Callable[[], int] = now_us) -> Iterator[CatalogAudit]:
    """The audit log alone, of a catalog whose schema is up to date; nothing is made or upgraded."""
    database = Database(create_catalog_engine(catalog_url(url)))
    try:
        yield CatalogAudit(database, now, key, anchor)
    finally:
        database.close()
