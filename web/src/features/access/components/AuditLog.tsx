import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { AuditEntry, AuditFilter } from "@/api/types";
import { download } from "@/api/download";
import { Empty, ErrorPanel, Panel, Rows } from "@/ui/components/Panel";
import { formatTime, words, zoneName } from "@/ui/format";
import { IconDownload } from "@/ui/icons";
import { auditExportUrl, auditQuery } from "../api/access";
import { deedWords } from "../audit-words";
import { differences } from "../difference";
import { failed } from "../report";
import classes from "./Access.module.css";
import { AuditFilters } from "./AuditFilters";

interface AuditLogProps {
  filter: AuditFilter;
  onFilter: (change: AuditFilter) => void;
}

/** Who did what, when and from where, newest first. */
export function AuditLog({ filter, onFilter }: AuditLogProps) {
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(auditQuery(filter));
  const entries = data?.pages.flatMap((page) => page.entries);
  return (
    <Panel
      title={
        <>
          Audit log <span className="muted">times in {zoneName()}</span>
        </>
      }
      flush
      actions={<ExportButton filter={filter} />}
    >
      <AuditFilters filter={filter} onFilter={onFilter} />
      {error ? <ErrorPanel error={error} onRetry={() => void refetch()} /> : null}
      {!entries && !error ? <Rows count={8} /> : null}
      {entries?.length === 0 ? (
        <Empty title="No such deed is recorded">{Object.keys(filter).length ? "Other filters may show more." : null}</Empty>
      ) : null}
      <ol className={classes.entries} aria-label="Deeds">
        {entries?.map((entry) => (
          <Entry key={entry.number} entry={entry} />
        ))}
      </ol>
      {hasNextPage ? (
        <div className={classes.more}>
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show older
          </Button>
        </div>
      ) : null}
    </Panel>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const changes = differences(entry.before, entry.after);
  return (
    <li className={classes.entry}>
      <time className="num" dateTime={entry.at}>
        {formatTime(entry.at)}
      </time>
      <strong>{entry.actor}</strong>
      <div>
        {deedWords(entry.action)}
        {entry.target && entry.target !== entry.actor ? <span className="muted"> {entry.target}</span> : null}
        {entry.why ? <span>: {entry.why}</span> : null}
        {changes.length ? (
          <ul className={classes.changes}>
            {changes.map(({ field, before, after }, at) => (
              <li key={at}>
                <span className="muted">{words(field.replaceAll(".", " › "))}</span>{" "}
                {before === undefined ? <span className="muted">added</span> : <del>{before}</del>}{" "}
                {before !== undefined && after !== undefined ? <Became /> : null}
                {after === undefined ? <span className="muted">removed</span> : <ins>{after}</ins>}
              </li>
            ))}
          </ul>
        ) : null}
        <details>
          <summary>
            Number {entry.number}
            {entry.address ? `, from ${entry.address}` : ""}
          </summary>
          <dl className={classes.facts}>
            <dt>Recorded</dt>
            <dd className="num">{entry.at}</dd>
            <dt>Trace</dt>
            <dd>{entry.trace_id || "none"}</dd>
            <dt>Digest</dt>
            <dd>{entry.digest}</dd>
          </dl>
        </details>
      </div>
    </li>
  );
}

function Became() {
  return (
    <>
      <span aria-hidden="true">→ </span>
      <span className="sr-only">became </span>
    </>
  );
}

function ExportButton({ filter }: { filter: AuditFilter }) {
  const [busy, setBusy] = useState(false);
  async function save(): Promise<void> {
    setBusy(true);
    await download(auditExportUrl(filter), "forewarn-audit.ndjson").catch(failed("Nothing was exported"));
    setBusy(false);
  }
  return (
    <Button
      variant="default"
      leftSection={<IconDownload size={14} />}
      loading={busy}
      onClick={() => void save()}
      title="What the filters show, oldest first, a JSON object a line"
    >
      Export
    </Button>
  );
}
