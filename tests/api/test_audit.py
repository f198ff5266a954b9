"""The audit log over HTTP: pages, filters, an export that is itself recorded."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from forewarn.contracts.audit_log import AuditLog, AuditQuery
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction, AuditEntry, Deed
from forewarn.domain.errors import StorageFailed
from tests.api.site import Site, open_parts, serving

AUDIT = "/api/v1/audit"
_names = itertools.count()


def recorded(site: Site, count: int, actor: str = "asha") -> list[AuditEntry]:
    """Entries nobody else has: told apart by their target."""
    target = f"bench-{next(_names)}"
    return [
        site.parts.audit.record(Deed(AuditAction.ALARM_ACTED, actor, target, {"n": n}, {"n": n + 1}, why=f"reason {n}"))
        for n in range(count)
    ]


def shown(site: Site, **query: object) -> list[int]:
    answer = site.client.get(AUDIT, params={k: str(v) for k, v in query.items()})
    assert answer.status_code == 200, answer.text
    return [entry["number"] for entry in answer.json()["entries"]]


def test_an_entry_is_shown_whole(site: Site) -> None:
    (entry,) = recorded(site, 1)
    (seen,) = site.client.get(AUDIT, params={"text": entry.deed.target}).json()["entries"]
    told = ("action", "actor", "target", "before", "after", "address", "why", "trace_id")
    assert {name: seen[name] for name in told} == {name: getattr(entry.deed, name) for name in told}
    assert (seen["number"], seen["digest"]) == (entry.number, entry.digest)
    assert seen["at"].endswith("Z")


def test_pages_go_on_where_the_last_one_ended(site: Site) -> None:
    entries = recorded(site, 5)
    query = {"text": entries[0].deed.target, "limit": "2"}
    pages: list[list[int]] = []
    while True:
        page = site.client.get(AUDIT, params=query).json()
        pages.append([entry["number"] for entry in page["entries"]])
        if page["next"] is None:
            break
        query["before"] = str(page["next"])
    newest = [entry.number for entry in reversed(entries)]
    assert pages == [newest[:2], newest[2:4], newest[4:]]


def test_filters_narrow_it(site: Site) -> None:
    first, second = recorded(site, 2, actor=f"ravi {next(_names)}")
    actor = first.deed.actor
    both = [second.number, first.number]
    assert shown(site, actor=actor) == shown(site, actor=actor, action="alarm_acted") == both
    assert shown(site, actor=actor, action="signed_in") == []
    several = site.client.get(AUDIT, params=[("actor", actor), ("action", "signed_in"), ("action", "alarm_acted")])
    assert len(several.json()["entries"]) == 2
    assert shown(site, actor=actor, before=second.number) == [first.number]
    assert shown(site, actor=actor, text="REASON 1") == [second.number]
    assert shown(site, actor=actor, start="2100-01-01T00:00:00Z") == []
    assert shown(site, actor=actor, end="2100-01-01T00:00:00Z", start="2020-01-01") == both


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("action=everything", 422),
        ("limit=0", 422),
        ("limit=1001", 422),
        ("before=0", 422),
        (f"before={2**63}", 422),
        ("start=yesterday", 400),
        ("text=" + "x" * 501, 422),
    ],
)
def test_what_cannot_be_asked_is_refused(site: Site, query: str, status: int) -> None:
    for path in (AUDIT, AUDIT + "/export"):
        if "limit" not in query or path == AUDIT:
            assert site.client.get(f"{path}?{query}").status_code == status


def test_an_export_is_recorded_and_oldest_first(site: Site) -> None:
    entries = recorded(site, 3)
    answer = site.client.get(f"{AUDIT}/export", params={"text": entries[0].deed.target, "end": "2100-01-01T00:00:00Z"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert "forewarn-audit.ndjson" in answer.headers["content-disposition"]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["number"] for line in lines] == [entry.number for entry in entries]
    assert lines[0] == site.client.get(AUDIT, params={"before": entries[0].number + 1, "limit": 1}).json()["entries"][0]
    (deed,) = [entry.deed for entry in site.parts.audit.find(AuditQuery(limit=1))]
    assert (deed.action, deed.actor, deed.address) == (AuditAction.AUDIT_EXPORTED, "anna", "127.0.0.1")
    assert deed.after == {"text": entries[0].deed.target, "end": "2100-01-01T00:00:00Z"}
    assert deed.trace_id == answer.headers["x-trace-id"]


def test_an_export_of_all_has_its_own_entry_as_the_last_line(site: Site) -> None:
    recorded(site, 1_100)
    lines = site.client.get(f"{AUDIT}/export").text.splitlines()
    numbers = [json.loads(line)["number"] for line in lines]
    assert numbers == list(range(1, len(lines) + 1))
    assert json.loads(lines[-1])["action"] == "audit_exported"


def test_who_may_not_read_it_gets_nothing_and_leaves_no_export(site: Site) -> None:
    with site.as_person("audit-technician", Grant(Role.TECHNICIAN)) as technician:
        before = shown(site, action="audit_exported")
        for path in (AUDIT, AUDIT + "/export"):
            assert technician.get(path).status_code == 403
        assert shown(site, action="audit_exported") == before
    with site.as_person("audit-part-auditor", Grant(Role.AUDITOR, "acme")) as of_a_part:
        assert of_a_part.get(AUDIT).status_code == 403
    with site.as_person("audit-auditor", Grant(Role.AUDITOR)) as auditor:
        assert auditor.get(AUDIT).status_code == 200
        assert auditor.get(AUDIT + "/export").status_code == 200
        assert site.parts.audit.find(AuditQuery(limit=1))[0].deed.actor == "audit-auditor"


class FullDisk:
    """The audit log of a site whose disk is full; reading works."""

    def __init__(self, audit: AuditLog) -> None:
        self.find, self.pieces, self.verify = audit.find, audit.pieces, audit.verify

    def record(self, deed: Deed) -> AuditEntry:
        raise StorageFailed("the catalog's database refused: disk full; check disk and server")


def test_what_cannot_be_recorded_is_not_exported(tmp_path: Path) -> None:
    with open_parts(tmp_path) as opened:
        full = replace(opened, parts=replace(opened.parts, audit=FullDisk(opened.parts.audit)))
        with serving(full) as site:
            answer = site.client.get(f"{AUDIT}/export")
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:forewarn:problem:storage-failed")
            assert site.client.get(AUDIT).status_code == 200
