import { Table } from "@mantine/core";
import type { Gateway } from "@/api/types";
import { Empty, Panel } from "@/ui/components/Panel";
import { ScrollBox } from "@/ui/components/ScrollBox";
import { StateMark } from "@/ui/components/StateMark";
import { formatCount, formatTime, sentence } from "@/ui/format";
import { connectorMark, delayWords, noDeviceWords } from "../words";
import classes from "./Gateways.module.css";

/** The devices behind one gateway, as it tells of them. */
export function ConnectorsTable({ gateway: { connectors, state } }: { gateway: Gateway }) {
  const [title, expected] = noDeviceWords(state);
  return (
    <Panel title="Devices" flush>
      {connectors.length === 0 ? (
        <Empty title={title}>{expected}</Empty>
      ) : (
        <ScrollBox label="Devices" minWidth={0}>
          <Table verticalSpacing={7} horizontalSpacing={14} fz={13} className={classes.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Device</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Last reading</Table.Th>
                <Table.Th ta="right">Rate</Table.Th>
                <Table.Th ta="right">Way and clock</Table.Th>
                <Table.Th ta="right">Rejected</Table.Th>
                <Table.Th ta="right">Reconnects</Table.Th>
                <Table.Th>Last error</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {connectors.map((one) => (
                <Table.Tr key={one.name}>
                  <Table.Td>
                    <strong>{one.name}</strong> <span className="muted">{one.connector}</span>
                  </Table.Td>
                  <Table.Td>
                    <span className={classes.state}>
                      <StateMark name={connectorMark(one.state)} compact />
                      {sentence(one.state)}
                    </span>
                  </Table.Td>
                  <Table.Td className="num" data-label="Last reading">
                    {one.last_reading_at ? formatTime(one.last_reading_at) : "never"}
                  </Table.Td>
                  <Table.Td className="num" ta="right" data-label="Rate">
                    {one.rate === null ? "–" : `${one.rate < 100 ? one.rate.toFixed(1) : formatCount(one.rate)} /s`}
                  </Table.Td>
                  <Table.Td className="num" ta="right" data-label="Way and clock">
                    {delayWords(one.delay_s)}
                  </Table.Td>
                  <Table.Td className="num" ta="right" data-label="Rejected">
                    {formatCount(one.rejected)}
                  </Table.Td>
                  <Table.Td className="num" ta="right" data-label="Reconnects">
                    {formatCount(one.reconnects)}
                  </Table.Td>
                  <Table.Td className={classes.error} data-label="Last error" data-wide data-none={!one.last_error || undefined}>
                    {one.last_error || <span className="muted">none</span>}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollBox>
      )}
    </Panel>
  );
}
