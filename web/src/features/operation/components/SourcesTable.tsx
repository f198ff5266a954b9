import { Table } from "@mantine/core";
import type { Source } from "@/api/types";
import { Empty, Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { StateMark } from "@/ui/components/StateMark";
import { useNow } from "@/ui/clock";
import { formatCount, formatDuration, sentence } from "@/ui/format";
import classes from "./Operation.module.css";

const MARKS: Record<string, string> = {
  connected: "normal",
  starting: "baselining",
  stale: "stale",
  reconnecting: "stale",
  misconfigured: "alarm",
  stopped: "no_data",
};

interface SourcesTableProps {
  sources: readonly Source[];
  /** Date.now() when the sources were read: the seconds go on counting from there. */
  readAt: number;
}

/** Where readings come from and how long each has been silent. */
export function SourcesTable({ sources, readAt }: SourcesTableProps) {
  return (
    <Panel title="Sources" flush>
      {sources.length === 0 ? (
        <Empty title="No source is configured">Name one in the plant file, or push readings over HTTP.</Empty>
      ) : (
        <ScrollBox label="Sources" minWidth={0}>
          <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={classes.sources}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Source</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th ta="right">Last reading</Table.Th>
                <Table.Th ta="right">Rate</Table.Th>
                <Table.Th ta="right">Readings</Table.Th>
                <Table.Th ta="right">Rejected</Table.Th>
                <Table.Th ta="right">Reconnects</Table.Th>
                <Table.Th>Last error</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {sources.map((source) => (
                <SourceRow key={source.name} source={source} readAt={readAt} />
              ))}
            </Table.Tbody>
          </Table>
        </ScrollBox>
      )}
    </Panel>
  );
}

function SourceRow({ source, readAt }: { source: Source; readAt: number }) {
  return (
    <Table.Tr>
      <Table.Td>
        <strong>{source.name}</strong> <span className="muted">{source.connector}</span>
      </Table.Td>
      <Table.Td>
        <span className={classes.state}>
          <StateMark name={MARKS[source.state] ?? "no_data"} compact word="" />
          {sentence(source.state)}
        </span>
      </Table.Td>
      <Table.Td className="num" ta="right" data-label="Last reading">
        <Silence seconds={source.seconds_since_last} readAt={readAt} />
      </Table.Td>
      <Table.Td className="num" ta="right" data-label="Rate">
        {source.rate.toFixed(1)} /s
      </Table.Td>
      <Table.Td className="num" ta="right" data-label="Readings">
        {formatCount(source.readings)}
      </Table.Td>
      <Table.Td className="num" ta="right" data-label="Rejected">
        {formatCount(source.rejected)}
      </Table.Td>
      <Table.Td className="num" ta="right" data-label="Reconnects">
        {formatCount(source.reconnects)}
      </Table.Td>
      <Table.Td className={classes.error} data-label="Last error" data-none={!source.last_error || undefined}>{source.last_error || <span className="muted">none</span>}</Table.Td>
    </Table.Tr>
  );
}

function Silence({ seconds, readAt }: { seconds: number | null; readAt: number }) {
  const now = useNow();
  if (seconds === null) return "never";
  return `${formatDuration(seconds + Math.max(0, now - readAt) / 1000)} ago`;
}
