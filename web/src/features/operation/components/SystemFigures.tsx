import type { ReactNode } from "react";
import type { Readiness, System } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatBytes, formatCount, formatDuration, sentence } from "@/ui/format";
import classes from "./Operation.module.css";

const CHECKS: Record<string, string> = { log: "Queue on disk", catalog: "Catalog", line: "Scoring and alarms" };
const DATABASES: Record<string, string> = { sqlite: "SQLite", postgresql: "PostgreSQL" };

/** What the process is doing, in figures. */
export function SystemFigures({ system, readiness }: { system: System; readiness: Readiness | undefined }) {
  const { queue, historian } = system;
  const full = queue.capacity_bytes ? (queue.bytes / queue.capacity_bytes) * 100 : 0;
  const each = historian.readings ? historian.bytes / historian.readings : null;
  return (
    <Panel title="Platform" actions={<span className="muted num">Forewarn {system.version}</span>}>
      <dl className={classes.figures}>
        <Figure name="Readings per second" note={`${formatCount(system.readings_total)} in total`}>
          {system.rate.toFixed(1)}
        </Figure>
        <Figure name="Queue on disk" note={`batches, ${formatBytes(queue.bytes)}, ${full.toFixed(1)} % of its room`}>
          {formatCount(queue.batches)}
        </Figure>
        <Figure
          name="Historian"
          note={`${formatCount(historian.readings)} readings${each === null ? "" : ` at ${each.toFixed(2)} bytes`}`}
        >
          {formatBytes(historian.bytes)}
        </Figure>
        <Figure name="Historian files" note={`and ${formatCount(historian.rollup_files)} of 1-minute and 1-hour means`}>
          {formatCount(historian.segments)}
        </Figure>
        <Figure name="Waiting for a file" note="readings, safe in the queue">
          {formatCount(historian.tail_readings)}
        </Figure>
        <Figure name="Disk free" note={`catalog in ${DATABASES[system.database] ?? system.database}`}>
          {formatBytes(system.disk_free_bytes)}
        </Figure>
        <Figure name="Memory" note="held by this process">
          {formatBytes(system.resident_bytes)}
        </Figure>
        <Figure name="Up" note="since the last start">
          {formatDuration(Math.round(system.uptime_s))}
        </Figure>
      </dl>
      {readiness ? <Checks checks={readiness.checks} /> : null}
    </Panel>
  );
}

/** Whether each part the readings need is up, in the server's own words. */
function Checks({ checks }: Pick<Readiness, "checks">) {
  return (
    <ul className={classes.checks} aria-label="Checks">
      {checks.map(({ name, ok, detail }) => (
        <li key={name}>
          <StateMark name={ok ? "normal" : "critical"} compact />
          <strong>{CHECKS[name] ?? sentence(name)}</strong> <span className="muted num">{sized(detail)}</span>
        </li>
      ))}
    </ul>
  );
}

/** Byte counts in a check's words as people read them. */
function sized(detail: string): string {
  return detail.replace(/(\d+) of (\d+) bytes/, (_, used: string, all: string) => `${formatBytes(+used)} of ${formatBytes(+all)}`);
}

function Figure({ name, note, children }: { name: string; note: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="num">
        <span className={classes.figure}>{children}</span>
        <span className={classes.note}>{note}</span>
      </dd>
    </div>
  );
}
