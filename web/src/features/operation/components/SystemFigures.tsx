import type { ReactNode } from "react";
import type { System } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { formatBytes, formatCount, formatDuration, formatValue } from "@/ui/format";
import classes from "./Operation.module.css";

/** What the process is doing, in figures. */
export function SystemFigures({ system }: { system: System }) {
  const { queue, historian } = system;
  const full = queue.capacity_bytes ? (queue.bytes / queue.capacity_bytes) * 100 : 0;
  const each = historian.readings ? historian.bytes / historian.readings : null;
  return (
    <Panel title="Platform" actions={<span className="muted num">Forewarn {system.version}</span>}>
      <dl className={classes.figures}>
        <Figure name="Readings per second" note={`${formatCount(system.readings_total)} in total`}>
          {formatValue(system.rate)}
        </Figure>
        <Figure name="Queue, batches behind" note={`${formatCount(queue.batches)} kept, ${formatBytes(queue.bytes)}, ${full.toFixed(1)}% full`}>
          {formatCount(queue.behind)}
        </Figure>
        <Figure
          name="Historian"
          note={`${formatCount(historian.readings)} readings${each === null ? "" : `, ${each.toFixed(2)} bytes each`}`}
        >
          {formatBytes(historian.bytes)}
        </Figure>
        <Figure name="Segments" note={`${formatCount(historian.rollup_files)} rollup files`}>
          {formatCount(historian.segments)}
        </Figure>
        <Figure name="Not yet in a segment" note="readings, safe in the log">
          {formatCount(historian.tail_readings)}
        </Figure>
        <Figure name="Disk free" note={`catalog on ${system.database}`}>
          {formatBytes(system.disk_free_bytes)}
        </Figure>
        <Figure name="Memory" note="resident">
          {formatBytes(system.resident_bytes)}
        </Figure>
        <Figure name="Up" note="since the last start">
          {formatDuration(Math.round(system.uptime_s))}
        </Figure>
      </dl>
    </Panel>
  );
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
