import { Table } from "@mantine/core";
import type { SignalInfo } from "@/api/types";
import type { Trace } from "@/charts/trace";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { useNow } from "@/ui/clock";
import { formatQuantity, formatTime, formatUnit, signalName, zoneName } from "@/ui/format";
import { bucketRows } from "../buckets";

interface SeriesTableProps {
  signals: readonly SignalInfo[];
  traces: ReadonlyMap<string, Trace>;
  windowOf: () => { from: number; to: number };
}

const ROWS = 30;
const REFRESH_MS = 2_000;

/** The charts as numbers: mean good value in each thirtieth of the window. */
export function SeriesTable({ signals, traces, windowOf }: SeriesTableProps) {
  useNow(REFRESH_MS);
  const { from, to } = windowOf();
  const shown = signals.flatMap((signal) => {
    const trace = traces.get(signal.id);
    return trace ? [{ signal, trace }] : [];
  });
  const rows = bucketRows(
    shown.map((s) => s.trace),
    from,
    to,
    ROWS,
  );
  return (
    <ScrollBox label="Readings as a table" minWidth={Math.max(300, 90 + shown.length * 94)}>
      <Table verticalSpacing={4} horizontalSpacing={10} fz={13} stickyHeader>
        <Table.Caption>Mean of good readings from each time on; “bad” marks spans with bad or missing data.</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>From <span className="muted">{zoneName(to)}</span></Table.Th>
            {shown.map(({ signal }) => (
              <Table.Th key={signal.id} ta="right">
                {signalName(signal.name)} <span className="muted">{formatUnit(signal.unit)}</span>
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.from}>
              <Table.Th className="num" fw={500}>
                {formatTime(row.from)}
              </Table.Th>
              {row.cells.map((cell, i) => (
                <Table.Td key={shown[i]?.signal.id} className="num" ta="right">
                  {cell.bad ? <span className="muted">bad </span> : null}
                  {formatQuantity(cell.mean, shown[i]?.signal.unit ?? "")}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollBox>
  );
}
